"""RISC-V machines, defined in Python and executed by LLVM.

    from rvplat import Machine

    with Machine.open("virt", program="demo") as machine:
        print(machine.run(timeout_s=60))

`Machine` is a machine and everything that can be done with it, `Stop` says why a run ended, and
`serve_gdb` lets gdb attach. A fault of a board, a plugin or a file raises an `RvplatError`
(`rvplat.errors` has its kinds), a wrong argument a TypeError, ValueError or LookupError, and an
access to an address where no memory or device answers a `BusError`.
"""

# Not from `typing`, because its import would delay every start of the command.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvplat.errors import BusError, RvplatError
    from rvplat.gdb.attach import serve_gdb
    from rvplat.machine.machine import Machine, Stop

__all__ = ["BusError", "Machine", "RvplatError", "Stop", "serve_gdb"]
_MODULES = {
    "BusError": "errors", "Machine": "machine.machine", "RvplatError": "errors",
    "Stop": "machine.machine", "serve_gdb": "gdb.attach",
}  # fmt: skip


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that commands start sooner."""
    if name not in _MODULES:
        raise AttributeError(f"module 'rvplat' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"rvplat.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """The public names, for `help` and completion."""
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]
