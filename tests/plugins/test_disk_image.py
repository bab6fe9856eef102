"""Images below the disk: the overlay against a plain model, and data that must survive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rvplat_plugins.disk_image import Disk, Overlay, RawImage, cut, open_disk

SIZE = 5 * 4096 + 512

operation = st.tuples(
    st.sampled_from(["read", "write", "flush", "reopen"]),
    st.integers(0, SIZE // 512 - 1),
    st.integers(1, 24),
    st.integers(0, 255),
)


def read(disk: Disk, offset: int, size: int) -> bytes:
    data = bytearray(size)
    disk.read(offset, [memoryview(data)])
    return bytes(data)


@given(operations=st.lists(operation, max_size=20))
@settings(max_examples=60, deadline=None)
def test_an_overlay_is_a_disk(
    operations: list[tuple[str, int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("overlay")
    base = bytes(range(256)) * (SIZE // 256)
    (folder / "base").write_bytes(base)
    model = bytearray(base)

    def open_it() -> Disk:
        return open_disk(folder / "base", False, folder / "overlay", False)

    disk = open_it()
    for what, sector, sectors, value in operations:
        start, end = sector * 512, min((sector + sectors) * 512, SIZE)
        if what == "read":
            assert read(disk, start, end - start) == model[start:end]
        elif what == "write":
            data = bytes([value]) * (end - start)
            disk.write(start, [memoryview(data)[:100], memoryview(data)[100:]])
            model[start:end] = data
        elif what == "flush":
            disk.flush()
        else:
            disk.close()
            disk = open_it()
    assert read(disk, 0, SIZE) == model
    disk.close()
    assert (folder / "base").read_bytes() == base


def test_an_overlay_is_sparse(tmp_path: Path) -> None:
    base = tmp_path / "base"
    with base.open("wb") as file:
        file.truncate(1 << 30)
    disk = open_disk(base, False, tmp_path / "overlay", False)
    disk.write(1 << 29, [memoryview(b"x" * 4096)])
    disk.close()
    assert (tmp_path / "overlay").stat().st_blocks * 512 < 1 << 20


def test_cut() -> None:
    views = [memoryview(b"abc"), memoryview(b""), memoryview(b"defg")]
    assert [bytes(view) for view in cut(views, 2, 5)] == [b"c", b"de"]
    assert cut(views, 7, 9) == []


def test_a_torn_overlay_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base").write_bytes(bytes(SIZE))
    open_disk(tmp_path / "base", False, tmp_path / "overlay", False).close()
    os.truncate(tmp_path / "overlay", 100)
    with pytest.raises(Exception, match=r"overlay .*: the image is shorter than it was"):
        open_disk(tmp_path / "base", False, tmp_path / "overlay", False)


KILLED = """
import os, signal, sys
from pathlib import Path
from rvplat_plugins.disk_image import open_disk
base, overlay = Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None
disk = open_disk(base, False, overlay, False)
disk.write(512, [memoryview(b"flushed!" * 64)])
disk.flush()
disk.write(4096, [memoryview(b"not yet!" * 64)])
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("overlay", ["", "overlay"])
def test_flushed_data_survives_a_kill(tmp_path: Path, overlay: str) -> None:
    base = tmp_path / "base"
    base.write_bytes(bytes(SIZE))
    where = str(tmp_path / overlay) if overlay else ""
    done = subprocess.run([sys.executable, "-c", KILLED, str(base), where], check=False)
    assert done.returncode == -signal.SIGKILL
    disk = open_disk(base, False, Path(where) if where else None, False)
    assert read(disk, 512, 512) == b"flushed!" * 64
    disk.close()


def test_snapshot_needs_no_file(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.write_bytes(bytes(SIZE))
    disk = Overlay(RawImage(base, readonly=True), None)
    disk.write(0, [memoryview(b"y" * 512)])
    disk.flush()
    assert read(disk, 0, 1024) == b"y" * 512 + bytes(512)
    disk.close()
    assert list(tmp_path.iterdir()) == [base]
