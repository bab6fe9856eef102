"""The tables for the compiler of regions: templates, accesses, glue, rows of the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rvplat.engine.decode import DecodeEntry
from rvplat.engine.fast import NoFastForm
from rvplat.engine.forms import Form
from rvplat.engine.region_sums import Sums
from rvplat.engine.region_templates import (
    TemplateEmitter,
    glue,
    hole,
    region_definitions,
    template_of,
)
from rvplat.engine.regions.tables import Access, Tables
from rvplat.hart.acceleration.kept_pages import TAGS
from rvplat.hart.state import DATA_ENTRIES, SLOT_HEADER, HartState, SlotHeader, TlbEntry
from rvplat.isa.machinery import vocabulary
from rvplat.isa.machinery.extension import SINK
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import (
    Declaration,
    relaxed_load_u8,
    relaxed_load_u16,
    relaxed_load_u32,
    relaxed_load_u64,
    relaxed_store_u8,
    relaxed_store_u16,
    relaxed_store_u32,
    relaxed_store_u64,
    u64,
)
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.native.unit import Unit
from rvplat.lang.typed_ir.values import Value

_LOADS: dict[Any, tuple[Any, int]] = {
    vocabulary.load_u8: (relaxed_load_u8, 1),
    vocabulary.load_u16: (relaxed_load_u16, 2),
    vocabulary.load_u32: (relaxed_load_u32, 4),
    vocabulary.load_u64: (relaxed_load_u64, 8),
}
_STORES: dict[Any, tuple[Any, int]] = {
    vocabulary.store_u8: (relaxed_store_u8, 1),
    vocabulary.store_u16: (relaxed_store_u16, 2),
    vocabulary.store_u32: (relaxed_store_u32, 4),
    vocabulary.store_u64: (relaxed_store_u64, 8),
}
_OF_ENTRY = ("read_tag", "write_tag", "addend")


class AccessEmitter(TemplateEmitter):
    """Emits the text of a load or store in a page that is known (regions/covered.py)."""

    def __init__(self, unit: Unit, form: Form, definitions: Definitions) -> None:
        super().__init__(unit, form, definitions)
        self._found: list[tuple[bool, int, str]] = []

    def speak(self, word: Declaration, arguments: list[Value]) -> Value | None:
        found = _LOADS.get(word) or _STORES.get(word)
        if found is None:
            return super().speak(word, arguments)
        relaxed, size = found
        va = arguments[1].text
        self._found.append((word in _STORES, size, va))
        addend = self.result(u64, f"load i64, ptr %{hole('covered')}addend").text
        place = self.resize(arguments[1], u64).text
        address = self.result(u64, f"add i64 {place}, {addend}")
        results = self._intrinsic(relaxed, (), [address, *arguments[2:]])
        return results[0] if results else Value(None, "")

    def access(self) -> Access | None:
        """The access of the form; None if it has not just one, at a sum with one register."""
        made = self.template()
        if len(self._found) != 1:
            return None
        ((stores, size, va),) = self._found
        address = Sums(self.lines, self.xlen).of(va)
        if sum(file == "x" for file, _ in address) != 1:
            return None
        return Access(stores, size, address, made.text, made.allocas, made.ways)


def access_of(unit: Unit, form: Form) -> Access | None:
    """The load or store of a form, where its page is known; None if it is no such form."""
    try:
        return AccessEmitter(unit, form, unit.definitions).access()
    except NoFastForm:
        return None


def rows_of(entries: Sequence[DecodeEntry]) -> list[Any]:
    """The decoder's rows as plain data, the most specific first (graph.py, `Decoder`)."""
    return [_row(entry) for entry in sorted(entries, key=lambda e: e.pattern.rank, reverse=True)]


def _row(entry: DecodeEntry) -> list[Any]:
    pattern, instruction = entry.pattern, entry.instruction
    operands = {}
    for name in instruction.operands:
        source = entry.source[name]
        sink = SINK if name == "rd" and instruction.redirects_rd else 0
        if isinstance(source, int):
            operands[name] = ["", [], source, sink]
        else:
            held = pattern.operands[source]
            pieces = [[piece.low, piece.width, piece.to] for piece in held.pieces]
            operands[name] = [held.name, pieces, held.base, sink]
    terms = [[term.mask, term.value, term.equal] for term in pattern.conditions]
    form = f"{instruction.name}.{pattern.length}"
    return [pattern.length, pattern.mask, pattern.match, terms, form, operands]


def make_tables(unit: Unit, forms: Sequence[Form], entries: Sequence[DecodeEntry]) -> Tables:
    """The tables for harts that decode these entries."""
    definitions = region_definitions(unit)
    made = {form.key: template_of(unit, form, definitions) for form in forms}
    templates = {key: template for key, template in made.items() if template is not None}
    kept = [form for form in forms if form.key in templates and templates[form.key].keeps]
    found = {form.key: access_of(unit, form) for form in kept}
    accesses = {key: access for key, access in found.items() if access is not None}
    fields = (
        "x", "f", "pc_bias", "tlb", "kept_pages", "kept_stale", "split_slot", "split_count",
    )  # fmt: skip
    offsets = {name: HartState.fields[name].offset for name in fields}
    offsets["kept_tags"] = TAGS
    offsets["marks"] = SlotHeader.fields["marks"].offset - SLOT_HEADER  # from the first slot
    offsets |= {f"tlb_{name}": TlbEntry.fields[name].offset for name in _OF_ENTRY}
    offsets |= {"tlb_size": TlbEntry.size, "tlb_count": DATA_ENTRIES}
    numbers = {form.key: n for n, form in enumerate(forms)}
    return Tables(
        templates, accesses, numbers, glue(unit), list(unit.declarations), offsets,
        rows_of(entries), unit.definitions.value_type(ux).bits,
    )  # fmt: skip
