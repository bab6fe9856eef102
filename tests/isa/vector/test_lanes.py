"""LLVM does as many elements at once as each loop over lanes says. Where it can't, it writes a
remark to stderr, which a user would see at the first start."""

from __future__ import annotations

import pytest

from rvplat.engine.architecture import Architecture
from rvplat.engine.units import extension_text
from rvplat.lang.native.objects import compile_text

from .bench import EXTENSIONS


def test_the_compiler_has_no_remark_on_products_of_the_host(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Zvbc's instructions run as one of the host that multiplies two elements."""
    zvbc = next(one for one in EXTENSIONS if one.name == "Zvbc")
    text = extension_text(Architecture(tuple(EXTENSIONS), xlen=64), zvbc, ())
    compile_text(text.text, level=text.level)
    assert capfd.readouterr().err == ""
