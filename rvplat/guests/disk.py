"""Makes disk images for virtio-blk: ext4 with given files, or blank for the guest to format."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rvplat.guests.errors import GuestError

FORMAT_SCRIPT = "mke2fs -F /dev/vda > /dev/null && mount -t ext4 /dev/vda /mnt"
"""An `rvplat.script` for the Debian guest that formats a blank disk and mounts it on /mnt."""

_SYSTEM_PATHS = "/usr/local/sbin:/usr/sbin:/sbin"


def blank_disk(path: Path, size_bytes: int) -> None:
    """Make a sparse image full of zeros."""
    with path.open("wb") as image:
        image.truncate(size_bytes)


def mkfs_ext4() -> str | None:
    """The host's mkfs.ext4, which is often only in root's PATH; None if there is none."""
    places = os.pathsep.join([os.environ.get("PATH", ""), *_SYSTEM_PATHS.split(":")])
    return shutil.which("mkfs.ext4", path=places)


def ext4_disk(path: Path, size_bytes: int, contents: Mapping[str, bytes]) -> None:
    """Make an ext4 image with these files, by path. It needs mkfs.ext4, but not root."""
    program = mkfs_ext4()
    if program is None:
        raise GuestError(
            "an ext4 image needs mkfs.ext4 (package e2fsprogs);"
            " or boot Debian with a blank disk and let it run mke2fs /dev/vda"
        )
    blank_disk(path, size_bytes)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in contents.items():
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        owner = ["-E", "root_owner=0:0"]
        command = [program, "-q", "-F", *owner, "-d", folder, str(path)]
        result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise GuestError(f"{' '.join(command)} failed: {result.stderr.strip()}")
