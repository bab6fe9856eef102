"""The native decoder against the patterns: the handlers and the operands that slots get."""

from __future__ import annotations

import ctypes
import functools
import random
from typing import Any

import pytest

from rvplat.engine import core
from rvplat.engine.decode import MAX_CONDITIONS, MAX_OPERANDS, MAX_PIECES, entry_of
from rvplat.engine.implied import implied_types
from rvplat.engine.operands import IMM, places
from rvplat.engine.reference import decode
from rvplat.hart.state import Slot
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.isa.machinery.extension import Extension, Row, enabled_rows
from rvplat.machine.boards.catalogue import base_extensions
from tests.engine.native_bench import Twin, twin
from tests.lang.compiled import native

SHIPPED = {one.name: one for one in base_extensions()}
ROWS = enabled_rows(list(SHIPPED.values()))
SETS = {"every extension": list(SHIPPED), "only I": ["I"], "I, M and C": ["I", "M", "C"]}
FAR = 4096  # an offset at which no branch gets its near handler


class Decoder:
    """The native decoder with the tables of some extensions."""

    def __init__(self, bench: Twin, extensions: list[Extension]) -> None:
        self._bench = bench
        self._decode = compiled()
        self._slot = Slot.structure()()
        self.find = Disassembler(extensions).find
        bench.begin()
        bench.core.decoder(extensions).attach(bench.hart)

    def native(self, bits: int, offset: int = FAR) -> tuple[int, dict[str, int]]:
        """The handler and the operands that the slot gets; no operands if it is illegal."""
        self._slot.imm, self._slot.operands[:] = -1, [0xFF] * 4
        handler = self._decode(self._bench.hart, ctypes.addressof(self._slot), bits, offset)
        row = self.find(bits)
        if row is None:
            return int(handler), {}
        found = places(entry_of(row).instruction)
        return int(handler), {one.name: self._operand(one.index) for one in found}

    def _operand(self, place: int) -> int:
        return int(self._slot.imm if place == IMM else self._slot.operands[place])

    def expected(self, bits: int) -> tuple[int, dict[str, int]]:
        """The same from the patterns."""
        row = self.find(bits)
        if row is None:
            return int(self._bench.machine.view.illegal_handler), {}
        instruction, operands = decode(row, bits)
        handler = self._bench.core.handlers[f"{instruction.name}.{row.pattern.length}"]
        return handler, {name: operands[name] for name in instruction.operands}


@functools.cache
def compiled() -> Any:
    """`decode_into` as native code: fills a slot and gives its handler."""
    definition: Any = core.decode_into
    return native(definition, implied_types([], twin().layout))


def words_of(row: Row, source: random.Random, count: int) -> list[int]:
    """Words with the row's fixed bits, and the same with one bit changed."""
    found = []
    for _ in range(count):
        free = (1 << 8 * row.pattern.length) - 1 & ~row.pattern.mask
        bits = row.pattern.match | source.getrandbits(32) & free
        found += [bits, bits ^ 1 << source.randrange(8 * row.pattern.length)]
    return found


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_every_row_decodes_to_its_own_handler(row: Row) -> None:
    decoder = Decoder(twin(), list(SHIPPED.values()))
    words = words_of(row, random.Random(row.name), 20)
    for bits in words:
        assert decoder.native(bits) == decoder.expected(bits), hex(bits)
    assert any(decoder.find(bits) is row for bits in words)


@pytest.mark.parametrize("names", SETS.values(), ids=SETS.keys())
def test_random_words(names: list[str]) -> None:
    """Most 32-bit ones are illegal, and all 16-bit ones are tried."""
    decoder = Decoder(twin(), [SHIPPED[name] for name in names])
    source = random.Random(7)
    words = [source.getrandbits(32) | 3 for _ in range(10_000)]
    for row in ROWS:
        words += words_of(row, source, 5)
    words += [bits for bits in range(0x10000) if bits & 3 != 3]
    illegal = 0
    for bits in words:
        expected = decoder.expected(bits)
        assert decoder.native(bits) == expected, hex(bits)
        illegal += expected[1] == {}
    assert 5000 < illegal < len(words)


@pytest.mark.parametrize("bits", [0, 0xFFFF_FFFF])
def test_words_that_are_illegal_by_definition(bits: int) -> None:
    """Unprivileged, "Expanded Instruction-Length Encoding": all zeros, and all ones."""
    decoder = Decoder(twin(), list(SHIPPED.values()))
    assert decoder.native(bits) == (int(twin().machine.view.illegal_handler), {})


def test_a_branch_within_its_page_gets_its_near_handler() -> None:
    decoder = Decoder(twin(), list(SHIPPED.values()))
    handlers = twin().core.handlers
    forward = 0x0000_0463  # beq zero, zero, 8
    assert decoder.native(forward, 0xFF6)[0] == handlers["beq.4 near"]
    assert decoder.native(forward, 0xFF8)[0] == handlers["beq.4"]
    assert handlers["beq.4"] != handlers["beq.4 near"]


def test_the_tables_have_room_for_what_ships() -> None:
    for row in ROWS:
        assert len(row.pattern.conditions) <= MAX_CONDITIONS
        assert len(places(entry_of(row).instruction)) <= MAX_OPERANDS
        assert all(len(one.pieces) <= MAX_PIECES for one in row.pattern.operands.values())
