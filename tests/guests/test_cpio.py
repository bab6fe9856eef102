"""The newc format: byte by byte, and read back with the host's cpio."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from rvplat.guests.cpio import CpioArchive


def _fields(header: bytes) -> list[int]:
    assert header[:6] == b"070701"
    return [int(header[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]


def test_file_entry_is_header_name_and_data_each_padded_to_four_bytes() -> None:
    archive = CpioArchive()
    archive.file("a", b"hello", 0o755)
    whole = archive.dump()
    # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
    assert _fields(whole) == [1, 0o100755, 0, 0, 1, 0, 5, 0, 0, 0, 0, 2, 0]
    assert whole[110:120] == b"a\0hello\0\0\0"
    assert b"TRAILER!!!\0" in whole[120:]
    assert len(whole) % 512 == 0


def test_device_node_has_its_numbers() -> None:
    archive = CpioArchive()
    archive.character_device("console", 5, 1)
    fields = _fields(archive.dump())
    assert (fields[1], fields[9], fields[10]) == (0o020600, 5, 1)


def test_equal_contents_give_equal_bytes() -> None:
    def build() -> bytes:
        archive = CpioArchive()
        archive.directory("bin")
        archive.symlink("bin/sh", "busybox")
        return archive.dump()

    assert build() == build()


@pytest.mark.skipif(shutil.which("cpio") is None, reason="no cpio on this machine")
def test_host_cpio_reads_it_back(tmp_path: Path) -> None:
    archive = CpioArchive()
    archive.directory("d")
    archive.file("d/odd", b"123")
    archive.symlink("d/link", "odd")
    subprocess.run(["cpio", "-i", "--quiet"], input=archive.dump(), cwd=tmp_path, check=True)
    assert (tmp_path / "d" / "odd").read_bytes() == b"123"
    assert (tmp_path / "d" / "link").readlink() == Path("odd")
