"""Native code of an architecture: made once, kept in the cache, shared by every machine."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Container, Iterable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from rvplat.cache import load_cached, save_all
from rvplat.engine.architecture import Architecture, shared_entries
from rvplat.engine.decode_table import Table, build_table
from rvplat.engine.exports import EXPORTS
from rvplat.engine.forms import HOST_FUNCTIONS, SLOW, SPECIAL
from rvplat.engine.index import Index, index_key, make_index
from rvplat.engine.linking import Part, csr_symbol
from rvplat.engine.pairs import pair_table, wanted_pairs
from rvplat.engine.sources import unchanged
from rvplat.frozen import frozen
from rvplat.hart.added_csrs import CSRS, AddedCsr
from rvplat.isa.machinery.extension import Extension
from rvplat.lang.native.dumps import Dumps, wanted_dumps
from rvplat.lang.native.exported import caller
from rvplat.lang.native.native_code import NativeCode

if TYPE_CHECKING:
    from rvplat.engine.units import PartText

Say = Callable[[str], None]
_BASE, _PAIRS = "", "pairs"  # names of parts, besides those of extensions
LARGE = 1 << 20  # characters of a part's text: compiling it takes seconds
_loaded: WeakValueDictionary[str, NativeCode] = WeakValueDictionary()  # parts by their keys


@frozen
class Wanted:
    """A part: its name ("" for the base part), all that it depends on, what it is for the user and
    for the cache, and how its text is made, if the base part has the functions that are given."""

    name: str
    key: str
    what: str
    title: str
    make: Callable[[Container[str]], PartText]


class Core:
    """Handlers and helper functions of an architecture as native code, in parts (`linking.py`).

    `say` gets a message before slow work. `compiled` has the functions that were compiled for it,
    by the name of their part: "" the base part, "pairs", else the extension's. Parts that the cache
    had are not in it. Cores of a process share parts that are the same.
    """

    def __init__(
        self, architecture: Architecture, say: Say = lambda text: None, dumps: Dumps | None = None
    ) -> None:
        self.architecture = architecture
        self.compiled: dict[str, tuple[str, ...]] = {}
        self._say = say
        self._told = False  # that the cache can't be written
        self._dumps = dumps or wanted_dumps()
        self.index, self._index_key = self._indexed()
        self._load_parts()
        self._slow_handlers = self._by_form("slow")
        self._callees = self._by_form("apart")
        self._tables: dict[tuple[Extension, ...], Table] = {}
        self._pairs = self._pair_table()
        self._added_csrs = self._csr_table()
        self.run = ctypes.CFUNCTYPE(None, ctypes.c_uint64)(self.code.address("run"))

    # --- parts ---

    def _indexed(self) -> tuple[Index, str]:
        """The index and its key, from the cache or made."""
        key = index_key(self.architecture)
        kept = load_cached(key) if key else None
        if kept is not None:
            return Index.from_bytes(kept), key
        made = make_index(self.architecture)
        if key:
            self._keep([(key, made.to_bytes(), "which instructions there are")])
        return made, key

    @property
    def key(self) -> str:
        """All that the base part depends on."""
        return self.index.base

    def _wanted_base(self) -> Wanted:
        base = self.architecture.base
        title = "the instruction set: what its parts share"

        def make(elsewhere: Container[str]) -> PartText:
            from rvplat.engine.units import base_text  # imports the compiler

            return base_text(base)

        own = self.index.own
        forms = sum(len(own.get(one.name, ())) for one in self.architecture.shipped)
        return Wanted(_BASE, self.key, f"{forms} instruction forms", title, make)

    def _wanted(self, extension: Extension) -> Wanted:
        """The part of an extension."""
        what = f"the extension {extension.name}"
        title = f"{what} {extension.version}: {extension.place}"
        # The shipped ones' code does not depend on what plugins add.
        shipped = extension in self.architecture.shipped
        architecture = self.architecture.base if shipped else self.architecture

        def make(elsewhere: Container[str]) -> PartText:
            from rvplat.engine.units import extension_text  # imports the compiler

            return extension_text(architecture, extension, elsewhere)

        return Wanted(extension.name, self.index.parts[extension.name], what, title, make)

    def _wanted_pairs(self) -> Wanted:
        base = self.architecture.base
        what = f"{len(self.index.pairs)} pairs of instructions"

        def make(elsewhere: Container[str]) -> PartText:
            from rvplat.engine.units import pairs_text  # imports the compiler

            return pairs_text(base, wanted_pairs(base.forms), elsewhere)

        return Wanted(_PAIRS, self.index.pairs_key, what, f"the instruction set: {what}", make)

    def load_part(
        self, name: str, key: str, make: Callable[[Container[str]], PartText], what: str, title: str
    ) -> NativeCode:
        """Other code that calls the base part's, from the cache or compiled. `make` makes its text,
        `what` and `title` describe it to the user and in the cache."""
        wanted = Wanted(name, "\n".join([self.key, key]), what, title, make)
        return self._parts([wanted], self.code)[name].load(self.code.address)

    def _load_parts(self) -> None:
        """Load all parts: the base part first, the pairs last, since parts call those before."""
        base, pairs = self._wanted_base(), self._wanted_pairs()
        having = (one for one in self.architecture.extensions if one.name in self.index.parts)
        others = {one: self._wanted(one) for one in having}
        wanted = [base, *others.values(), pairs]
        memory = self._in_memory(wanted)
        missing = [one for one in wanted if one.name not in memory]
        parts = self._parts(missing, memory.get(base.name))

        def loaded(one: Wanted, find: Callable[[str], int] | None = None) -> NativeCode:
            code = memory.get(one.name) or parts[one.name].load(find)
            if self._dumps is None:
                _loaded[one.key] = code
            return code

        self.code = loaded(base)
        self._codes = {one: loaded(part, self.code.address) for one, part in others.items()}
        self.handlers = self._own_handlers()
        self._pairs_code = loaded(pairs, self._address)
        self.handlers |= _table(self._pairs_code, [f"{a} {b}" for a, b, _ in self.index.pairs])

    def _in_memory(self, wanted: Sequence[Wanted]) -> dict[str, NativeCode]:
        """The parts that other cores have loaded, by name; none if no core has the base part, whose
        addresses are in the others."""
        if self._dumps is not None or wanted[0].key not in _loaded:
            return {}
        found = {one.name: _loaded.get(one.key) for one in wanted}
        return {name: code for name, code in found.items() if code is not None}

    def _parts(self, wanted: Sequence[Wanted], base: NativeCode | None) -> dict[str, Part]:
        """The parts by name, from the cache or compiled. `base`: the base part, if it is loaded.
        Else it is the first that is wanted."""
        kept = {one.name: load_cached(one.key) if self._dumps is None else None for one in wanted}
        found = {name: Part.from_bytes(data) for name, data in kept.items() if data is not None}
        missing = [one for one in wanted if one.name not in found]
        if missing:
            self._announce(missing)
            if base is None and _BASE in found:
                base = found[_BASE].load()
            found |= self._compiled(missing, () if base is None else base)
            self._keep((one.key, found[one.name].to_bytes(), one.title) for one in missing)
        return found

    def _announce(self, missing: Sequence[Wanted]) -> None:
        """Say what will be compiled. What ships is one thing if all of it is missing."""
        shipped = {one.name for one in self.architecture.shipped} | {_PAIRS}
        whole = missing[0].name == _BASE
        for one in missing:
            if not (whole and one.name in shipped):
                self._say(f"compiling {one.what} for this machine, once")

    def _compiled(self, missing: Sequence[Wanted], elsewhere: Container[str]) -> dict[str, Part]:
        """Compile parts: the base part and a large one in other processes, the rest in this one.
        `elsewhere`: the functions of the base part, if it is not the first of them."""
        from rvplat.lang.native.objects import compile_text  # these import the compiler
        from rvplat.lang.native.other_process import Compiling

        texts: dict[str, PartText] = {}
        others: dict[str, Compiling] = {}
        try:
            for one in missing:
                text = texts[one.name] = one.make(elsewhere)
                if one.name == _BASE:
                    elsewhere = frozenset(text.functions)
                    others[_BASE] = Compiling(text.text, self._dumps)
            rest = texts.keys() - others.keys()
            large = max(rest, key=lambda name: len(texts[name].text), default="")
            if len(rest) > 1 and len(texts[large].text) > LARGE:
                text = texts[large]
                others[large] = Compiling(text.text, self._dumps_of(large), text.level)
            made = {
                name: compile_text(text.text, self._dumps_of(name), text.level)
                for name, text in texts.items()
                if name not in others
            }
            made |= {name: other.result() for name, other in others.items()}
        finally:
            for other in others.values():
                other.stop()
        self.compiled |= {name: text.functions for name, text in texts.items()}
        return {name: Part(code, texts[name].imports) for name, code in made.items()}

    def _dumps_of(self, name: str) -> Dumps | None:
        return self._dumps.named(name) if self._dumps is not None else None

    def _keep(self, made: Iterable[tuple[str, bytes, str]]) -> None:
        """Put what was made from the imported texts into the cache: keys, data and titles."""
        if unchanged():
            problem = save_all(made)
            if problem is not None and not self._told:
                self._told = True
                how = "it is made anew at each start"
                self._say(f"cannot keep the compiled code ({problem}); {how}")

    # --- tables ---

    def _own_handlers(self) -> dict[str, int]:
        """Host addresses of handlers: "add.4" fast, "beq.4 near", "lw.4 slow", and the special
        ones."""
        found = _table(self.code, SPECIAL)
        kinds = ("", " near", " slow", " apart")
        for extension, code in self._codes.items():
            forms = self.index.own[extension.name]
            found |= _table(code, [key + kind for key in forms for kind in kinds])
        for key in self.index.order:
            slow_one = found[f"{key} slow"] = found[f"{key} slow"] or found[key]
            for kind in ("", " near"):
                found[key + kind] = found[key + kind] or slow_one
        return found

    def _by_form(self, kind: str) -> Any:
        """The addresses of one kind of native code for each form, in host memory."""
        found = [self.handlers[f"{key} {kind}"] for key in self.index.order]
        return (ctypes.c_uint64 * len(found))(*found)

    def _address(self, symbol: str) -> int:
        """The address of a function of the base part, or of a slow handler."""
        if symbol.startswith(SLOW):
            return self.handlers[f"{symbol.removeprefix(SLOW)} slow"]
        return self.code.address(symbol)

    def _csr_table(self) -> Any:
        """The functions of plugins' CSRs by number, in host memory; None without such CSRs."""
        rows = [(row, self._codes[one]) for one in self.architecture.added for row in one.csrs]
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
        table = self._kept_table(extensions)
        fast = [self.handlers[key] for key in self.index.order]
        near = [self.handlers[f"{key} near"] for key in self.index.order]
        table.place(fast, [b if b != a else 0 for a, b in zip(fast, near, strict=True)])
        return table

    def _kept_table(self, extensions: tuple[Extension, ...]) -> Table:
        """The decoder's tables, without addresses, from the cache or made."""
        entries = partial(self.architecture.enabled_entries, extensions)
        key = ""
        if self._index_key and {*extensions} <= {*self.architecture.extensions}:
            key = "\n".join([self._index_key, "decoder", *(one.name for one in extensions)])
        kept = load_cached(key) if key else None
        if kept is not None:
            return Table.from_bytes(kept, entries)
        numbers = {form: n for n, form in enumerate(self.index.order)}
        table = build_table(entries, numbers)
        if key:
            self._keep([(key, table.to_bytes(), "how instructions are decoded")])
        return table

    def _pair_table(self) -> Any:
        """The table of pairs. Its keys are the handlers in slots; for a branch, the near one."""
        rows = []
        for a, b, length in self.index.pairs:
            both = self.handlers[f"{a} {b}"]
            if both:
                rows.append((self.handlers[a], self.handlers[f"{b} near"], both, length))
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

    def region_tables(self, harts: Sequence[Sequence[Extension]]) -> bytes:
        """The tables for the compiler of regions (regions/tables.py), for the extensions of each
        hart. A region has only what all of them decode alike."""
        architecture = self.architecture
        keys = [self.index.parts[one.name] for one in self._codes]
        kinds = dict.fromkeys(" ".join(one.name for one in each) for each in harts)
        key = "\n".join(["regions", *keys, *kinds])
        kept = load_cached(key)
        if kept is None:
            from rvplat.engine.region_tables import make_tables
            from rvplat.engine.units import new_unit

            entries = shared_entries(harts)
            made = make_tables(new_unit(architecture), architecture.forms, entries)
            kept = made.to_bytes()
            self._keep([(key, kept, "texts for regions")])
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
        machine.callees = ctypes.addressof(self._callees)
        machine.pause_handler = self.code.address("pause")
        machine.arrive_handler = self.code.address("arrive")
        for name in HOST_FUNCTIONS:
            setattr(machine, f"{name}_fn", self.code.address(f"host_{name}"))


def _table(code: NativeCode, names: Sequence[str]) -> dict[str, int]:
    """The addresses in a part's table of handlers, by name."""
    table = (ctypes.c_uint64 * len(names)).from_address(code.address("handlers"))
    return dict(zip(names, table, strict=True))
