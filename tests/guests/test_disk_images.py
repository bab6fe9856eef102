"""Disk images."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rvplat.guests import disk
from rvplat.guests.errors import GuestError

_MAGIC = slice(0x438, 0x43A)  # ext4: s_magic in the superblock at 1,024


def test_blank_disk_is_sparse_zeros(tmp_path: Path) -> None:
    disk.blank_disk(tmp_path / "d", 1 << 20)
    assert (tmp_path / "d").read_bytes() == bytes(1 << 20)


@pytest.mark.skipif(disk.mkfs_ext4() is None, reason="no mkfs.ext4 on this machine")
def test_ext4_disk_has_the_files(tmp_path: Path) -> None:
    path = tmp_path / "d"
    disk.ext4_disk(path, 8 << 20, {"hello": b"from the host\n", "a/b": b"x"})
    image = path.read_bytes()
    assert len(image) == 8 << 20
    assert image[_MAGIC] == b"\x53\xef"
    assert b"from the host\n" in image


@pytest.mark.skipif(disk.mkfs_ext4() is None, reason="no mkfs.ext4 on this machine")
def test_disk_too_small_reports_the_error_of_mkfs(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"mkfs\.ext4 .* failed: "):
        disk.ext4_disk(tmp_path / "d", 4096, {"x": bytes(100_000)})


def test_error_without_mkfs_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "mkfs_ext4", lambda: None)
    monkeypatch.setattr(subprocess, "run", None)
    with pytest.raises(GuestError) as caught:
        disk.ext4_disk(tmp_path / "d", 1 << 20, {})
    assert str(caught.value) == (
        "an ext4 image needs mkfs.ext4 (package e2fsprogs);"
        " or boot Debian with a blank disk and let it run mke2fs /dev/vda"
    )
