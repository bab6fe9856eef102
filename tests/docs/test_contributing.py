"""CONTRIBUTING.md is walked in a copy of the tree: what it adds works."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, walk


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the tree, with links under the names by which plugins and boards are imported."""
    copy = tmp_path / "tree"
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    for name in ("plugins", "boards"):
        (tmp_path / "names" / f"rvplat_{name}").parent.mkdir(exist_ok=True)
        (tmp_path / "names" / f"rvplat_{name}").symlink_to(copy / name)
    return copy


@pytest.mark.timeout(900)
def test_what_it_adds_works(tree: Path) -> None:
    places = f"{tree}:{tree.parent / 'names'}"
    assert walk((ROOT / "CONTRIBUTING.md").read_text(), tree, {"PYTHONPATH": places}) == 8
