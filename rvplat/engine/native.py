"""Native code for a set of extensions: made once, kept in the cache, shared by every machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, cast

import rvplat.hart.implementations  # noqa: F401
from rvplat.cache import load_cached, save_cached
from rvplat.engine import architecture, exports
from rvplat.engine.decode import Table, build_table
from rvplat.engine.forms import HOST_FUNCTIONS, SPECIAL, Form
from rvplat.engine.pairs import pair_table, wanted_pairs
from rvplat.engine.sources import digest, unchanged
from rvplat.isa.machinery.extension import Extension
from rvplat.lang.objects import (
    Dumps,
    NativeCode,
    compile_text,
    host_key,
    wanted_dumps,
)

Say = Callable[[str], None]


class Core:
    """Handlers and helper functions of the extensions as native code.

    `say` is told what takes long. `compressed`: every hart has C, so that IALIGN is 16.
    """

    def __init__(
        self, extensions: Sequence[Extension], say: Say = lambda text: None,
        compressed: bool = True, dumps: Dumps | None = None,
    ) -> None:  # fmt: skip
        architecture.install(extensions)
        self.extensions = tuple(extensions)
        self.constants = {"ialign_mask": 1 if compressed else 3}
        self.forms: list[Form] = architecture.forms(extensions)
        self.pairs = wanted_pairs(self.forms)
        self._code = NativeCode(self._object(say, dumps or wanted_dumps()))
        self.handlers = self._handlers()
        self._tables: dict[tuple[Extension, ...], Table] = {}
        self._pairs = self._pair_table()
        self.run = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(self._code.address("run"))

    @cached_property
    def key(self) -> str:
        """What the object code depends on."""
        pairs = ",".join(f"{a.key} {b.key}" for a, b in self.pairs)
        return "\n".join([digest(self.extensions), pairs, repr(self.constants), host_key()])

    def _object(self, say: Say, dumps: Dumps | None) -> bytes:
        kept = load_cached(self.key) if dumps is None else None
        if kept is not None:
            return kept
        say(f"compiling {len(self.forms)} instruction forms for this machine, once")
        data = compile_text(self.text(), dumps)
        if not unchanged():
            return data
        problem = save_cached(self.key, data, f"the instruction set: {len(self.forms)} forms")
        if problem is not None:
            say(f"cannot keep the compiled code ({problem}); it is made anew at each start")
        return data

    def text(self) -> str:
        """The LLVM text of everything."""
        from rvplat.engine.handlers import native_text  # the compiler: not for a warm start

        return native_text(self.forms, self.pairs, self.constants)

    def _handlers(self) -> dict[str, int]:
        """Host addresses of handlers: "add.4" fast, "beq.4 near", and the special ones."""
        names = []
        for form in self.forms:
            names += [form.key, f"{form.key} near"]
        names += SPECIAL
        names += [f"{a.key} {b.key}" for a, b in self.pairs]
        table = (ctypes.c_uint64 * len(names)).from_address(self._code.address("handlers"))
        return dict(zip(names, table, strict=True))

    def decoder(self, extensions: Sequence[Extension]) -> Table:
        """The decoder's tables for harts that have these extensions, which share them."""
        key = tuple(extensions)
        if key not in self._tables:
            self._tables[key] = self._decoder(key)
        return self._tables[key]

    def _decoder(self, extensions: tuple[Extension, ...]) -> Table:
        addresses = {}
        for form in self.forms:
            fast, near = self.handlers[form.key], self.handlers[f"{form.key} near"]
            addresses[form.instruction.name, form.length] = (fast, 0 if near == fast else near)
        return build_table(architecture.entries(extensions), addresses)

    def _pair_table(self) -> Any:
        """The table of pairs by the handlers that slots hold: a branch's near one."""
        rows = []
        for a, b in self.pairs:
            both = self.handlers[f"{a.key} {b.key}"]
            if both:
                second = self.handlers[f"{b.key} near"]
                rows.append((self.handlers[a.key], second, both, a.length))
        return pair_table(rows)

    def export(self, name: str) -> Callable[..., Any]:
        """A definition that Python calls natively: returns its value, or raises `Raised`."""
        definition = exports.EXPORTS[name]
        return exports.wrap(definition, self._code.address(f"export.{name}"))

    @cached_property
    def fence(self) -> Callable[[], Any]:
        """The host's full fence. Python's lock is kept: a call takes less time than letting go."""
        made: Any = ctypes.PYFUNCTYPE(ctypes.c_uint64)(self._code.address("host_fence"))
        made.code = self._code  # lives as long
        return cast(Callable[[], Any], made)

    def attach(self, machine: Any) -> None:
        """Give a machine's record the handlers that slots are filled with."""
        for name in SPECIAL:
            setattr(machine, f"{name}_handler", self.handlers[name])
        machine.pairs = ctypes.addressof(self._pairs)
        for name in HOST_FUNCTIONS:
            setattr(machine, f"{name}_fn", self._code.address(f"host_{name}"))
