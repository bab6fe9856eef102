"""From LLVM text to native code."""

from pathlib import Path
from typing import cast

from rvplat.lang import define, u64
from rvplat.lang.define import Definition
from rvplat.lang.native.dumps import Dumps
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.native_code import NativeCode
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.unit import Unit


@define
def double(a: u64) -> u64:
    return a + a


def test_dumps_show_every_stage(tmp_path: Path) -> None:
    unit = Unit({})
    unit.export(cast(Definition, double), "double")
    dumps = Dumps(tmp_path / "ir", tmp_path / "optimised", tmp_path / "assembly")
    NativeCode(compile_text(module_text(unit), dumps))
    assert "alloca" in (tmp_path / "ir").read_text()
    assert "alloca" not in (tmp_path / "optimised").read_text()
    assert "double:" in (tmp_path / "assembly").read_text()
