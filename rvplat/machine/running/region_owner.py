"""What regions need of a machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from rvplat.engine.native import Core
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.running.native_records import NativeHart, NativeMachine


class Owner(Protocol):
    """The part of a machine that regions need (system.py)."""

    @property
    def core(self) -> Core: ...

    @property
    def extensions(self) -> Sequence[Extension]: ...

    @property
    def decoded(self) -> Sequence[Sequence[Extension]]: ...

    @property
    def native(self) -> NativeMachine: ...

    @property
    def harts(self) -> Sequence[NativeHart]: ...

    def export(self, name: str) -> Callable[..., Any]: ...

    def fail(self, error: BaseException) -> None: ...
