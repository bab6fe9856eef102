"""Reads Debian packages without dpkg: deb(5).

A .deb is an ar archive of `debian-binary`, `control.tar.*` and `data.tar.*`. Only the wanted files
are read. Nothing is installed, and no script of the package runs.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

from rvplat.guests.errors import GuestError

_AR_MAGIC = b"!<arch>\n"
_AR_HEADER_BYTES = 60


def ar_members(archive: bytes, origin: str) -> dict[str, bytes]:
    """The members of an ar archive by name. Errors name the archive by `origin`."""
    if not archive.startswith(_AR_MAGIC):
        raise GuestError(f"{origin}: not a Debian package (no ar archive)")
    members = {}
    offset = len(_AR_MAGIC)
    while offset + _AR_HEADER_BYTES <= len(archive):
        header = archive[offset : offset + _AR_HEADER_BYTES]
        name, size = header[:16].decode().rstrip(" /"), int(header[48:58])
        offset += _AR_HEADER_BYTES
        if offset + size > len(archive):
            raise GuestError(f"{origin}: truncated: {name} should have {size} bytes")
        members[name] = archive[offset : offset + size]
        offset += size + size % 2
    return members


def read_package(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The regular files of a package whose names (without the leading "./") are `wanted`."""
    members = ar_members(path.read_bytes(), str(path))
    data_name = next((name for name in members if name.startswith("data.tar")), None)
    if data_name is None:
        raise GuestError(f"{path}: not a Debian package (no data.tar in it)")
    try:
        with tarfile.open(fileobj=io.BytesIO(members[data_name])) as tar:
            return _regular_files(tar, wanted)
    except (tarfile.TarError, lzma.LZMAError, EOFError, OSError) as error:
        raise GuestError(
            f"{path}: cannot read {data_name}: damaged, or not compressed by gzip, bzip2 or xz"
        ) from error


def _regular_files(tar: tarfile.TarFile, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    files = {}
    for member in tar:
        name = member.name.removeprefix("./")
        if member.isfile() and wanted(name):
            stream = tar.extractfile(member)
            assert stream is not None  # because isfile() is true
            files[name] = stream.read()
    return files
