"""Progress of long work in a log, where each topic has one line."""

import pytest

from rvplat.cli.progress import Progress
from rvplat.guests.apt import _report


def test_a_download_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """apt reports its progress some twenty times."""
    progress = Progress()
    progress("apt: fetching opensbi, busybox-static of Debian trixie for riscv64", None)
    for share in range(0, 100, 5):
        _report(f"dlstatus:1:{share}:Retrieving", "package list of trixie", progress)
    progress("apt: linux-image-6.1.2-riscv64, opensbi", 0.0)
    for share in range(0, 100, 5):
        _report(f"dlstatus:1:{share}:Retrieving", "packages", progress)
    progress("unpacking opensbi", None)
    progress("measuring sieve", 0.0)
    progress("measuring sort", 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "rvplat: apt: fetching opensbi, busybox-static of Debian trixie for riscv64",
        "rvplat: unpacking opensbi",
        "rvplat: measuring sieve",
        "rvplat: measuring sort",
    ]
