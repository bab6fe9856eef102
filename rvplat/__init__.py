"""RISC-V machines, defined in Python and executed by LLVM.

from rvplat import Machine
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rvplat.machine.machine import Machine, Stop

__all__ = ["Machine", "Stop"]


def __getattr__(name: str) -> Any:
    """`Machine` and `Stop`, imported when they are first asked for: commands start quicker."""
    if name in __all__:
        from rvplat.machine import machine

        return getattr(machine, name)
    raise AttributeError(f"module 'rvplat' has no attribute {name!r}")
