"""The README and the pages of docs/ are walked as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.guests.debian import DebianGuest
from tests.docs.pages import ROOT, blocks, file_in, first_missing, walk
from tests.guests.conftest import debian_guest  # noqa: F401

#: Tested elsewhere, because their sessions are gdb's (tests/gdb: test_page_sessions, test_editors).
TYPED = {"howto/backwards.md", "howto/editors.md", "howto/gdb-guests.md", "howto/gdb-kvm.md"}
#: Tested in a browser (tests/api/test_page.py): a session would wait for one.
SEEN = {"howto/page.md"}
#: Walked with the Debian guest that the tests keep.
LINUX = ["howto/linux.md", "howto/kvm.md"]
PAGES = {
    str(path.relative_to(ROOT / "docs"))
    for folder in ("tutorial", "howto")
    for path in (ROOT / "docs" / folder).glob("*.md")
}
WALKED = sorted(PAGES - TYPED - SEEN - set(LINUX) - {"tutorial/index.md", "howto/index.md"})


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", ["../README.md", *WALKED])
def test_a_page_is_walked(page: str, tmp_path: Path) -> None:
    assert walk((ROOT / "docs" / page).read_text(), tmp_path) > 0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", LINUX)
def test_a_page_with_linux_is_walked(
    page: str,
    tmp_path: Path,
    debian_guest: DebianGuest,  # noqa: F811
) -> None:
    (tmp_path / "guest").symlink_to(debian_guest.kernel.parent)
    text = (ROOT / "docs" / page).read_text()
    interactive = "~ # uname -m"  # typed at the guest's shell
    lines = [line for line in text.splitlines() if line not in (interactive, "riscv64")]
    kept = "\n".join(line for line in lines if "initrd.cpio --append" not in line)
    assert walk(kept, tmp_path) > 0
    if "session.py" in text:
        assert walk("    $ python session.py", tmp_path) == 1


def test_blocks_of_both_kinds() -> None:
    text = "a\n\n    one\n\n    two\n\nb\n```text\nthree\n    four\n```\nc\n"
    assert blocks(text) == ["one\n\ntwo\n", "three\n    four\n"]


def test_names_of_files() -> None:
    assert file_in("# lamp.py\nimport os\n") == "lamp.py"
    assert file_in("/* hello.c */\n") == "hello.c"
    assert file_in("# a comment that is none\n") == ""


def test_what_is_shown_comes_in_order() -> None:
    assert first_missing(["a", "c ... e"], "a\nb\nc d e\n") is None
    assert first_missing(["...", "b", "a"], "a\nb\n") == "a"
    assert first_missing(["12 ms"], "7 ms\n") is None
