"""What is said of long work where nobody watches: a line for each thing."""

import pytest

from rvplat.cli.progress import Progress
from rvplat.guests.apt import _report


def test_a_download_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """apt reports some twenty times how far it is."""
    said = Progress()
    said("apt: fetching opensbi, busybox-static of Debian trixie for riscv64", None)
    for share in range(0, 100, 5):
        _report(f"dlstatus:1:{share}:Retrieving", "package list of trixie", said)
    said("apt: linux-image-6.1.2-riscv64, opensbi", 0.0)
    for share in range(0, 100, 5):
        _report(f"dlstatus:1:{share}:Retrieving", "packages", said)
    said("unpacking opensbi", None)
    said("measuring sieve", 0.0)
    said("measuring sort", 0.5)
    assert capsys.readouterr().err.splitlines() == [
        "rvplat: apt: fetching opensbi, busybox-static of Debian trixie for riscv64",
        "rvplat: unpacking opensbi",
        "rvplat: measuring sieve",
        "rvplat: measuring sort",
    ]
