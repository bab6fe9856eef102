"""RISC-V machines, defined in Python and executed by LLVM.

    from rvplat import Machine

    with Machine.open("virt", program="demo") as machine:
        print(machine.run(timeout_s=60))

`Machine` is a machine and all that can be done with it, `Stop` says why a run ended. What a user
gets wrong is an `RvplatError` (the kinds are in `rvplat.errors`), a wrong argument of a call a
TypeError, ValueError or LookupError, an address where nothing is a `BusError`.
"""

# Without `typing`, whose import every start of the command would wait for.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from rvplat.errors import BusError, RvplatError
    from rvplat.machine.machine import Machine, Stop

__all__ = ["BusError", "Machine", "RvplatError", "Stop"]


def __getattr__(name: str) -> object:
    """What is public, imported when it is first asked for: commands start quicker."""
    if name not in __all__:
        raise AttributeError(f"module 'rvplat' has no attribute {name!r}")
    from importlib import import_module

    module = "rvplat.errors" if name.endswith("Error") else "rvplat.machine.machine"
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    """For `help` and completion: what is public."""
    return [*__all__, "__doc__", "__file__", "__name__", "__path__"]
