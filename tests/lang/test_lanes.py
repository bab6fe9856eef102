"""Loops over lanes: natively as under CPython, and with vector instructions of the host."""

import ctypes
from pathlib import Path
from typing import Any

from rvplat.lang import Record, define, lanes, u32, u64
from rvplat.lang.intrinsics import record_at
from rvplat.lang.native.dumps import Dumps
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.unit import Unit
from tests.lang.compiled import native

COUNT = 24
Cells = Record("Cells")
Cells.add("at", u32, COUNT)
cells_at = record_at(Cells)


@define
def multiply(to: u64, count: u64) -> u64:
    """Multiply each of up to 12 cells by the one 12 cells later."""
    for i in lanes(count, 4):
        cells_at(to).at[i] = cells_at(to).at[i] * cells_at(to + 48).at[i]
    return count


DEFINITION: Any = multiply


def test_native_equals_cpython() -> None:
    compiled = native(DEFINITION)
    for count in (0, 3, 4, 12):
        found = []
        for run in (compiled, DEFINITION):
            memory = (ctypes.c_uint32 * COUNT)(*(n * 0x01234567 & 0xFFFFFFFF for n in range(COUNT)))
            assert run(ctypes.addressof(memory), count) == count
            found.append(bytes(memory))
        assert found[0] == found[1]


def test_the_host_does_several_at_once(tmp_path: Path) -> None:
    """Without a check whether the cells overlap: the text says that they don't."""
    unit = Unit({})
    unit.export(DEFINITION, "multiply")
    compile_text(module_text(unit), Dumps(optimised=tmp_path / "optimised.ll"))
    text = (tmp_path / "optimised.ll").read_text()
    assert "mul <4 x i32>" in text
    assert "memcheck" not in text
