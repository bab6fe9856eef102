"""Methods of native devices: definitions (`native`), and Python methods that definitions ask for
(`afterwards`, `soon`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from types import MethodType
from typing import Any, TypeVar

from rvplat.bus.natives.records import BusState
from rvplat.lang import Definition, Intrinsic, Record
from rvplat.lang.define import Signature

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


class NativeMethod(Definition):
    """A method that is a definition. `self` is the device's record."""

    record: Record | None = None  # set when its class is complete
    unlocked = False  # whether a thread of the device runs it, without the bus lock

    @cached_property
    def signature(self) -> Signature:
        found = Signature(self.function)
        found.types = (self.record, *found.types[1:])
        return found

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner.__qualname__

    def __get__(self, device: Any, kind: type | None = None) -> Any:
        return self if device is None else device.bound[self.name]


class Later:
    """A Python method that definitions can ask for."""

    def __init__(self, function: Callable[[Any], None], delayed: bool) -> None:
        self.function = function
        self.delayed = delayed
        self.__doc__ = function.__doc__

    def __get__(self, device: Any, kind: type | None = None) -> Any:
        return self if device is None else MethodType(self.function, device)

    def request(self, name: str, bit: int, record: Record) -> Intrinsic:
        """What a call in a definition does: it sets a bit of the record's BusState."""
        bus = record.fields["bus"].offset
        field = "delayed" if self.delayed else "asked"

        def ask(device: Any) -> None:
            setattr(device.bus, field, getattr(device.bus, field) | (1 << bit))

        text = (
            f"%p{{t}} = getelementptr i8, ptr {{0}}, i64 {bus + BusState.fields[field].offset}\n"
            f"%o{{t}} = load i64, ptr %p{{t}}\n%n{{t}} = or i64 %o{{t}}, {1 << bit}\n"
            "store i64 %n{t}, ptr %p{t}"
        )
        ask.__name__ = name
        made = Intrinsic(ask, text, (), writes=True)
        made.signature.types, made.signature.returns = (record,), None
        return made


def native(function: Callable[..., R]) -> Callable[..., R]:
    """Make a method of a device a definition (docs/reference/language.md): a register's `read_` or
    `write_` method, a controller's `set_input`, or one that definitions and Python call."""
    return NativeMethod(function)


def unlocked(function: Callable[..., R]) -> Callable[..., R]:
    """A definition that only the device's own thread calls, without the bus lock and beside the
    harts. It may wait for the host, in `call_host`. For what others use too, it calls `self.hold()`
    first, and then `self.release()`. What it asks for (`afterwards`, interrupt lines), the thread
    runs: it calls `run_asked` under the bus lock."""
    made = NativeMethod(function)
    made.unlocked = True
    return made


def afterwards(function: F) -> F:
    """A Python method without arguments that definitions can ask for: `self.name()` in a definition
    has it run as soon as the access is over, before the hart's next instruction. It holds the bus
    lock, as every Python method of a device does. Asked several times in an access, it runs
    once. Python code calls it at once."""
    return Later(function, delayed=False)  # type: ignore[return-value]


def soon(function: F) -> F:
    """As `afterwards`, but it runs some thousand instructions later at most: before the hart
    sleeps, and before the run stops."""
    return Later(function, delayed=True)  # type: ignore[return-value]


class Bound:
    """A native method of one device, for Python. `call(address, ...)` is its native code, where a
    machine has it. Without it, CPython runs the definition."""

    def __init__(self, device: Any, method: NativeMethod) -> None:
        self.device = device
        self.method = method
        self.call: Callable[..., int] | None = None
        self._wanted = method.function.__code__.co_argcount - 1
        self.__doc__ = method.__doc__

    def __call__(self, *arguments: Any) -> Any:
        if self.method.unlocked:
            found = self._run(arguments)
        else:
            self.device.begin_definition()
            try:
                found = self._run(arguments)
            finally:
                self.device.end_definition()
        return None if self.method.signature.returns is None else int(found)

    def _run(self, arguments: tuple[Any, ...]) -> Any:
        if len(arguments) != self._wanted:  # native code would take 0 for what is missing
            names = ", ".join(self.method.function.__code__.co_varnames[1 : self._wanted + 1])
            what = f"{self.method.owner}.{self.method.name} takes ({names})"
            raise TypeError(f"{what}, found {len(arguments)} arguments")
        if self.call is not None:
            return self.call(*arguments)
        kinds = self.method.signature.types[1:]
        given = [_fitted(a, k) for a, k in zip(arguments, kinds, strict=True)]
        return self.method(self.device.native_state.view, *given)


def _fitted(argument: Any, kind: Any) -> Any:
    """An argument as native code takes it: truncated to its type."""
    return bool(argument) if kind is bool else kind(int(argument))
