"""Every ratified extension says when it was ratified and where its text is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.profiles import PROFILES
from rvplat.isa.machinery.ratifications import ratifications
from rvplat.machine.boards.catalogue import shipped_extensions


@pytest.mark.parametrize("extension", shipped_extensions().values(), ids=lambda one: one.name)
def test_every_shipped_extension_has_its_date_and_chapter(extension: Extension) -> None:
    found = extension.ratification
    assert (found is None) == (extension.standing != "ratified")
    if found is not None:
        assert re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", found.when)
        assert found.volume in ("I", "II", "D")
        assert found.chapter


@pytest.mark.parametrize("extension", shipped_extensions().values(), ids=lambda one: one.name)
def test_the_place_of_an_extension_is_where_it_is_named(extension: Extension) -> None:
    """Not in a helper that makes several."""
    file, _, line = extension.place.rpartition(":")
    name = "BASE" if extension.name == "I" else extension.name
    assert Path(file).read_text().splitlines()[int(line) - 1].startswith(f"{name} = ")


def test_a_draft_and_an_extension_of_a_plugin_have_none() -> None:
    assert Extension("Zicond", "0.9", "draft").ratification is None
    assert Extension("Xown", "1.0", "ratified").ratification is None


def test_whatever_a_profile_names_is_known() -> None:
    for profile in PROFILES.values():
        assert {*profile.mandatory, *profile.options} <= ratifications().keys()
        assert not {*profile.mandatory} & {*profile.options}
