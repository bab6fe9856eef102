"""Definitions are what was imported, whatever becomes of their files; so is the key of what is kept
of them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from rvplat.engine.architecture import Architecture
from rvplat.engine.native import Core
from rvplat.engine.sources import _own_texts, digest, digest_of
from rvplat.engine.units import extension_text
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.rv_v import Zve32f, Zve32x, Zvfh, Zvfhmin
from rvplat.lang import u64
from rvplat.machine.boards.extensions import architecture_for
from tests.lang.compiled import native

TWO = """
from rvplat.lang import define, u64

@define
def first(a: u64) -> u64:
    return a + 1

@define
def second(a: u64) -> u64:
    return a + 2
"""


def load(path: Path, text: str = "") -> Any:
    """A module from a file, which is written first."""
    if text:
        path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def extension(module: Any) -> Extension:
    """An extension with the module's `second` in a CSR's row."""
    made = Extension("Xtwo", "0.1", "draft")
    made.csr(0x800, "two", read=module.second)
    return made


def test_a_file_that_changes_after_its_import_changes_no_definition(tmp_path: Path) -> None:
    """Here `second`'s old place in the file is in a comment behind `first`."""
    module = load(tmp_path / "two.py", TWO)
    changed = TWO.replace("@define\ndef second", "# a\n# b\n# c\n@define\ndef second")
    (tmp_path / "two.py").write_text(changed)
    assert native(module.second)(5) == 7


def test_a_file_that_is_loaded_anew_is_read_anew(tmp_path: Path) -> None:
    old = load(tmp_path / "two.py", TWO)
    new = load(tmp_path / "two.py", "\n\n" + TWO.replace("a + 2", "a + 20"))
    assert native(new.second)(5) == 25
    assert native(old.second)(5) == 7


def key_of(made: Extension) -> str:
    """The key of a plugin's extension."""
    return digest_of(made, Architecture((), (made,)).layout)


def test_the_key_is_of_what_was_imported(tmp_path: Path) -> None:
    old = extension(load(tmp_path / "two.py", TWO))
    before = key_of(old)
    (tmp_path / "two.py").write_text(TWO.replace("a + 2", "a + 20"))
    assert key_of(old) == before
    assert key_of(extension(load(tmp_path / "two.py"))) != before
    assert key_of(old) == before, "although its file has been imported anew"


def test_the_key_tells_rows_without_definitions_apart() -> None:
    keys = set()
    for number, writable in ((0x800, 0xFF), (0x800, 0xFFFF), (0x801, 0xFF)):
        made = Extension("Xkey", "0.1", "draft")
        made.csr(number, "key", writable=writable)
        keys.add(key_of(made))
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("helper", "changed"),
    [
        ("NUMBER = 5\n" + TWO, "NUMBER = 6\n" + TWO),
        ("NUMBER = 5\n" + TWO, "NUMBER = 5\n" + TWO.replace("a + 1", "a + 10")),
    ],
    ids=["a constant", "a definition"],
)
def test_the_key_reaches_into_other_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helper: str, changed: str
) -> None:
    """The plugin's own file stays as it is."""
    (tmp_path / "apart").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "apart")
    plugin = (
        "import helping\nfrom helping import first\nfrom rvplat.lang import define, u32, u64\n"
        "@define\ndef second(hart, number: u32) -> u64:\n    return first(u64(helping.NUMBER))\n"
    )
    keys = []
    for text in (helper, changed):
        module = load(tmp_path / "apart" / "helping.py", text)
        monkeypatch.setitem(sys.modules, "helping", module)
        keys.append(key_of(extension(load(tmp_path / "two.py", plugin))))
    assert keys[0] != keys[1]


FIELD = """
from rvplat.lang import define, u32, u64

@define
def second(hart, number: u32) -> u64:
    return hart.other
"""


def test_the_key_is_of_the_fields_that_the_text_names(tmp_path: Path) -> None:
    """Another plugin that comes before moves them, or does not."""
    made = extension(load(tmp_path / "two.py", FIELD))
    named, before, beside = (Extension(n, "0.1", "draft") for n in ("Xb", "Xa", "Xc"))
    named.state("other", u64)
    before.state("large", u64, 5)
    beside.state("beside", u64)
    keys = [
        digest_of(made, Architecture((), tuple(added)).layout)
        for added in ([named, made], [before, named, made], [named, made, beside])
    ]
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


def test_the_key_of_what_ships_is_of_the_records_as_they_lie() -> None:
    made = Extension("Xone", "0.1", "draft")
    before = digest(Architecture((made,)))
    assert digest(Architecture((made,), (Extension("Xtwo", "0.1", "draft"),))) == before
    made.state("more", u64)
    assert digest(Architecture((made,))) != before
    assert digest(Architecture((made,), xlen=32)) != digest(Architecture((made,)))


@pytest.mark.parametrize("extension", [Zve32x, Zve32f], ids=lambda one: one.name)
def test_the_digest_has_the_texts_of_all_modules_of_rows(extension: Extension) -> None:
    """An instruction's own text may be reached only through what is made of it."""
    texts = list(_own_texts(extension, architecture_for((), True, [Zve32x, Zve32f]).layout))
    for module in extension.rows_in:
        assert Path(str(importlib.import_module(module).__file__)).read_text() in texts


def halves_in(extensions: list[Extension]) -> bool:
    """Whether the native code of these extensions has a loop over halves."""
    architecture = architecture_for((), True, extensions)
    return "d.vfadd.loop.16" in extension_text(architecture, Zve32f, ()).functions


def test_code_for_halves_is_made_only_for_zvfh() -> None:
    """Zve32f's texts ask for Zvfh, which is a constant if no hart has it."""
    without, both = [Zve32x, Zve32f], [Zve32x, Zve32f, Zvfhmin, Zvfh]
    assert not halves_in(without)
    assert not halves_in([*without, Zvfhmin])
    assert halves_in(both)
    assert architecture_for((), True, without).constants_of(Zve32f) == {
        "has_zvfh": 0, "has_zvfhmin": 0
    }  # fmt: skip
    assert architecture_for((), True, both).constants_of(Zve32f) == {}


def test_the_key_tells_code_with_halves_from_code_without() -> None:
    cores = [
        Core(architecture_for((), True, [Zve32x, Zve32f, *more])) for more in ((), (Zvfhmin, Zvfh))
    ]
    assert cores[0].index.parts["Zve32f"] != cores[1].index.parts["Zve32f"]
    assert cores[0].index.parts["Zve32x"] == cores[1].index.parts["Zve32x"]
