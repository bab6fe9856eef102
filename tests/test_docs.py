"""What stands in docs/ is linked, and the settings that it shows are settings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from rvplat.machine.boards.toml_tree import parse_override
from rvplat.machine.open import faults_of

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCS = sorted((ROOT / "docs").glob("*.md"))


def test_the_readme_links_every_document_and_no_other() -> None:
    assert sorted(re.findall(r"\]\((docs/[^)]*)\)", README)) == [
        str(path.relative_to(ROOT)) for path in DOCS
    ]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.stem)
def test_its_settings_are_settings(path: Path) -> None:
    shown = re.findall(r"--set ('[^']*'|[^`,\s]+)", path.read_text())
    assert shown
    for text in shown:
        assert faults_of("virt", [parse_override(*shlex.split(text))]) == [], text
