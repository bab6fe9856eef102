"""Native code of an architecture: made once, kept in the cache, shared by every machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from rvplat.cache import load_cached, save_cached
from rvplat.engine.architecture import Architecture
from rvplat.engine.decode import Table, build_table
from rvplat.engine.exports import EXPORTS
from rvplat.engine.forms import HOST_FUNCTIONS, SPECIAL, Form
from rvplat.engine.linking import Part, csr_symbol
from rvplat.engine.pairs import pair_table, wanted_pairs
from rvplat.engine.sources import digest, digest_of, unchanged
from rvplat.hart.added_csrs import CSRS, AddedCsr
from rvplat.isa.machinery.extension import Extension
from rvplat.lang.native.dumps import Dumps, wanted_dumps
from rvplat.lang.native.exported import caller
from rvplat.lang.native.native_code import NativeCode, host_key

if TYPE_CHECKING:
    from rvplat.engine.units import PartText

Say = Callable[[str], None]
_FAST = "\nfast handlers"  # ends the key of their part


class BaseCode:
    """The shipped extensions' code in memory: the base part, and that of the fast handlers."""

    def __init__(self, base: Part, fast: Part) -> None:
        self.code = base.load(None)
        self.fast = fast.load(self.code)


_base_codes: WeakValueDictionary[str, BaseCode] = WeakValueDictionary()  # by their keys


class Core:
    """Handlers and helper functions of an architecture as native code, in parts (`linking.py`).

    `say` gets a message before slow work. `compiled` has the functions that were compiled for it,
    by the name of their part: "" the base part, else the extension's. Parts that the cache had are
    not in it.
    """

    def __init__(
        self, architecture: Architecture, say: Say = lambda text: None, dumps: Dumps | None = None
    ) -> None:
        self.architecture = architecture
        self.compiled: dict[str, tuple[str, ...]] = {}
        self._say = say
        self._dumps = dumps or wanted_dumps()
        self.forms: list[Form] = architecture.base.forms
        self.pairs = wanted_pairs(self.forms)
        self._base = self._base_code()
        self.code = self._base.code
        self._added = {
            one: self._part_of(one).load(self.code)
            for one in architecture.added
            if architecture.forms_of(one) or one.csrs
        }
        self.handlers = self._handlers()
        slow = [self.handlers[f"{form.key} slow"] for form in architecture.forms]
        self._slow_handlers = (ctypes.c_uint64 * len(slow))(*slow)
        self._tables: dict[tuple[Extension, ...], Table] = {}
        self._pairs = self._pair_table()
        self._added_csrs = self._csr_table()
        self.run = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(self.code.address("run"))

    # --- parts ---

    @cached_property
    def key(self) -> str:
        """All that the base part depends on."""
        pairs = ",".join(f"{a.key} {b.key}" for a, b in self.pairs)
        return "\n".join([digest(self.architecture), pairs, host_key()])

    def _base_code(self) -> BaseCode:
        """The shipped extensions' code. Cores of a process with the same code share it."""
        if self._dumps is not None:
            return self._compiled_base(self._dumps)
        loaded = _base_codes.get(self.key)
        if loaded is None:
            kept = [load_cached(self.key + part) for part in ("", _FAST)]
            if None in kept:
                loaded = self._compiled_base(None)
            else:
                loaded = BaseCode(*(Part.from_bytes(data) for data in kept if data is not None))
            _base_codes[self.key] = loaded
        return loaded

    def _compiled_base(self, dumps: Dumps | None) -> BaseCode:
        """Compile the shipped extensions' code: its two parts at the same time."""
        from rvplat.engine.units import base_text, fast_text  # these import the compiler
        from rvplat.lang.native.objects import compile_text
        from rvplat.lang.native.other_process import Compiling

        what = f"{len(self.forms)} instruction forms"
        self._say(f"compiling {what} for this machine, once")
        fast, slow_keys = fast_text(self.architecture, self.pairs)
        other = Compiling(fast.text, dumps.named("fast") if dumps else None)
        try:
            base = base_text(self.architecture, slow_keys)
            base_part = Part(compile_text(base.text, dumps), base.imports)
            fast_part = Part(other.result(), fast.imports)
        finally:
            other.stop()
        self.compiled[""] = base.functions + fast.functions
        self._keep(self.key, base_part.to_bytes(), f"the instruction set: {what}")
        self._keep(self.key + _FAST, fast_part.to_bytes(), "the instruction set: fast handlers")
        return BaseCode(base_part, fast_part)

    def _part_of(self, extension: Extension) -> Part:
        """The part of a plugin's extension."""
        what = f"the extension {extension.name}"
        title = f"{what} {extension.version}: {extension.place}"
        key, make = self._key_of(extension), partial(self._text_of, extension)
        return self._part(extension.name, key, make, what, title)

    def _key_of(self, extension: Extension) -> str:
        """All that the part of a plugin's extension depends on."""
        digest = digest_of(extension, self.architecture.layout)
        forms = ",".join(form.key for form in self.architecture.forms_of(extension))
        return "\n".join([self.key, digest, forms])

    def _text_of(self, extension: Extension) -> PartText:
        from rvplat.engine.units import extension_text

        return extension_text(self.architecture, extension, self.code)

    def load_part(
        self, name: str, key: str, make: Callable[[], PartText], what: str, title: str
    ) -> NativeCode:
        """Other code that calls the base part's, from the cache or compiled. `make` makes its text,
        `what` and `title` describe it to the user and in the cache."""
        whole = "\n".join([self.key, key])
        return self._part(name, whole, make, what, title).load(self.code)

    def _part(
        self, name: str, key: str, make: Callable[[], PartText], what: str, title: str
    ) -> Part:
        """Load a part from the cache, or compile it."""
        kept = load_cached(key) if self._dumps is None else None
        if kept is not None:
            return Part.from_bytes(kept)
        from rvplat.lang.native.objects import compile_text

        self._say(f"compiling {what} for this machine, once")
        made = make()
        self.compiled[name] = made.functions
        dumps = self._dumps.named(name) if self._dumps is not None else None
        part = Part(compile_text(made.text, dumps), made.imports)
        self._keep(key, part.to_bytes(), title)
        return part

    def _keep(self, key: str, data: bytes, title: str) -> None:
        """Put what was made from the imported texts into the cache."""
        if unchanged():
            problem = save_cached(key, data, title)
            if problem is not None:
                how = "it is made anew at each start"
                self._say(f"cannot keep the compiled code ({problem}); {how}")

    # --- tables ---

    def _handlers(self) -> dict[str, int]:
        """Host addresses of handlers: "add.4" fast, "beq.4 near", and the special ones."""
        slow = [f"{form.key} slow" for form in self.forms]
        found = _table(self.code, [*slow, *SPECIAL])
        fast = [f"{form.key}{kind}" for form in self.forms for kind in ("", " near")]
        found |= _table(self._base.fast, [*fast, *(f"{a.key} {b.key}" for a, b in self.pairs)])
        for extension, code in self._added.items():
            forms, kinds = self.architecture.forms_of(extension), ("", " near", " slow")
            found |= _table(code, [f"{form.key}{kind}" for form in forms for kind in kinds])
        for form in self.architecture.forms:
            slow_one = found[f"{form.key} slow"] = found[f"{form.key} slow"] or found[form.key]
            for kind in ("", " near"):
                found[form.key + kind] = found[form.key + kind] or slow_one
        return found

    def _csr_table(self) -> Any:
        """The functions of plugins' CSRs by number, in host memory; None without such CSRs."""
        rows = [(row, code) for one, code in self._added.items() for row in one.csrs]
        if not rows:
            return None
        table = (AddedCsr.structure() * CSRS)()
        for row, code in rows:
            place = table[row.number]
            place.read = code.address(csr_symbol("read", row.number))
            if not row.read_only:
                place.write = code.address(csr_symbol("write", row.number))
            if row.access is not None:
                place.guard = code.address(csr_symbol("guard", row.number))
        return table

    def decoder(self, extensions: Sequence[Extension]) -> Table:
        """The decoder's tables for harts that have these extensions. Such harts share them."""
        key = tuple(extensions)
        if key not in self._tables:
            self._tables[key] = self._decoder(key)
        return self._tables[key]

    def _decoder(self, extensions: tuple[Extension, ...]) -> Table:
        addresses = {}
        for form in self.architecture.forms:
            fast, near = self.handlers[form.key], self.handlers[f"{form.key} near"]
            addresses[form.instruction.name, form.length] = (fast, 0 if near == fast else near)
        return build_table(self.architecture.enabled_entries(extensions), addresses)

    def _pair_table(self) -> Any:
        """The table of pairs. Its keys are the handlers in slots; for a branch, the near one."""
        rows = []
        for a, b in self.pairs:
            both = self.handlers[f"{a.key} {b.key}"]
            if both:
                second = self.handlers[f"{b.key} near"]
                rows.append((self.handlers[a.key], second, both, a.length))
        return pair_table(rows)

    def export(self, name: str) -> Callable[..., Any]:
        """A Python function that calls a definition natively (`lang/native/exported.py`)."""
        return caller(EXPORTS[name], self.code.address(f"export.{name}"))

    @cached_property
    def fence(self) -> Callable[[], Any]:
        """The host's full fence. It keeps the GIL: to release that would take longer."""
        made: Any = ctypes.PYFUNCTYPE(ctypes.c_uint64)(self.code.address("host_fence"))
        made.code = self.code  # keeps the code alive
        return cast(Callable[[], Any], made)

    def region_tables(self, extensions: Sequence[Extension]) -> bytes:
        """The tables for the compiler of regions (regions/tables.py)."""
        architecture = self.architecture
        names = [one.name for one in extensions]
        added = [self._key_of(one) for one in architecture.added]
        key = "\n".join(["regions", self.key, *added, *names])
        kept = load_cached(key)
        if kept is None:
            from rvplat.engine.region_templates import make_tables
            from rvplat.engine.units import new_unit

            entries = architecture.enabled_entries(extensions)
            made = make_tables(new_unit(architecture), architecture.forms, entries)
            kept = made.to_bytes()
            self._keep(key, kept, "texts for regions")
        return kept

    def attach(self, machine: Any) -> None:
        """Store the addresses of handlers, tables and host functions in a machine's record."""
        for name in SPECIAL:
            setattr(machine, f"{name}_handler", self.handlers[name])
        machine.pairs = ctypes.addressof(self._pairs)
        if self._added_csrs is not None:
            machine.added_csrs = ctypes.addressof(self._added_csrs)
            machine.has_added_csrs = 1
        machine.slow_handlers = ctypes.addressof(self._slow_handlers)
        machine.pause_handler = self.code.address("pause")
        machine.arrive_handler = self.code.address("arrive")
        for name in HOST_FUNCTIONS:
            setattr(machine, f"{name}_fn", self.code.address(f"host_{name}"))


def _table(code: NativeCode, names: Sequence[str]) -> dict[str, int]:
    """The addresses in a part's table of handlers, by name."""
    table = (ctypes.c_uint64 * len(names)).from_address(code.address("handlers"))
    return dict(zip(names, table, strict=True))
