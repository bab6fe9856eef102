"""What the README and the pages link is there, and the settings that they show are settings."""

from __future__ import annotations

import re
import shlex

import pytest

from rvplat.machine.boards.toml_tree import parse_override
from rvplat.machine.open import faults_of
from tests.docs.pages import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]


@pytest.mark.parametrize("name", NAMES)
def test_what_it_links_is_there(name: str) -> None:
    path = ROOT / name
    for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
        assert ":" in link or (path.parent / link).exists(), link


@pytest.mark.parametrize("name", NAMES)
def test_its_settings_are_settings(name: str) -> None:
    text = (ROOT / name).read_text()
    for shown in re.findall(r"--set ('[^']*'|[^`,\s]+)", text):
        if "=" in shown and "KEY=" not in shown and "_x" not in shown:  # an extension of the page's
            assert faults_of("virt", [parse_override(*shlex.split(shown))]) == [], shown


def test_every_page_is_reached_from_the_readme() -> None:
    """The README names the index, and from there the tables of contents lead everywhere."""
    readme = (ROOT / "README.md").read_text()
    assert "](docs/index.md)" in readme
    assert readme.count("\n") < 110, "two screens"
