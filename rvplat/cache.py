"""The user's cache folder: it keeps results that are slow to compute, from one start to the next.

The caller's key contains everything that the bytes depend on. `save_cached` writes a temporary file
and renames it, so that two processes, or a process that is killed, can't damage a file. Each file
holds a digest of its name and its bytes, by which a damaged file, or one with another file's
bytes, is recognised and made again, and a title, which `rvplat cache` shows.

A file's modification time is the time of its last use. Each write to the folder also removes the
files that were not used for UNUSED_DAYS days, and then the least recently used files until the rest
takes at most LIMIT_BYTES. Files that rvplat did not write are never removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from rvplat.frozen import frozen

LIMIT_BYTES = 256 << 20
UNUSED_DAYS = 60

_LARGEST_BYTES = 1 << 30  # no file of the cache is larger
_DAY_S = 86_400
_NOTE_USE_S = 3600  # a use updates a file's time only if the time is older than this
_ABANDONED_S = 3600  # a temporary file older than this was left by a process that was killed
_MAGIC = b"rvplat 2"
_DIGEST_BYTES = 32
_HEAD_BYTES = 512
_NAME = re.compile(r"[0-9a-f]{40}\.bin")
_PART = re.compile(r"[0-9a-f]{40}\..*\.part")


@frozen
class CacheEntry:
    """A file of the cache: what it is, its size in bytes, its last use (Unix time in seconds)."""

    path: Path
    title: str
    size: int
    used: float


def cache_folder() -> Path:
    """The folder that RVPLAT_CACHE names, or else the user's cache folder."""
    chosen = os.environ.get("RVPLAT_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    if sys.platform == "linux" and (base == "~/.cache" or base.startswith("/")):
        return Path(base).expanduser() / "rvplat"  # as platformdirs, which takes 5 ms to import
    import platformdirs

    return Path(platformdirs.user_cache_dir("rvplat"))


def load_cached(key: str) -> bytes | None:
    """The bytes that are kept under the key; None if there are none, or the file is damaged."""
    path = _path(key)
    try:
        status = _status(path)
        data = path.read_bytes()
    except OSError:
        return None
    magic, digest, rest = data[:8], data[8 : 8 + _DIGEST_BYTES], data[8 + _DIGEST_BYTES :]
    if magic != _MAGIC or _digest(path, rest) != digest:
        return None
    _note_use(path, status.st_mtime)
    return rest.partition(b"\n")[2]


def save_cached(key: str, data: bytes, title: str) -> OSError | None:
    """Keep bytes under the key, and prune the folder. `title` says in one line what they are.
    Returns the error if the folder can't be written."""
    return save_all([(key, data, title)])


def save_all(made: Iterable[tuple[str, bytes, str]]) -> OSError | None:
    """As `save_cached`, for several: their keys, bytes and titles. The folder is pruned once."""
    path = None
    try:
        for key, data, title in made:
            path = _path(key)
            _write(path, title.encode().replace(b"\n", b" ") + b"\n" + data)
    except OSError as error:
        return error
    prune(keep=path)
    return None


def _write(path: Path, rest: bytes) -> None:
    """Write a file with its digest, under a temporary name first."""
    import tempfile  # a start that only reads does without it

    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f"{path.stem}.", suffix=".part", delete=False
    ) as file:
        part = Path(file.name)
        try:
            file.write(_MAGIC + _digest(path, rest) + rest)
            file.close()
            part.replace(path)
        except BaseException:  # the disk may be full: leave nothing there
            _remove([part])
            raise


def entries() -> list[CacheEntry]:
    """The files of the cache, the most recently used first; empty if there is no folder."""
    found = [entry for path in _files(_NAME) if (entry := _entry(path)) is not None]
    return sorted(found, key=lambda entry: entry.used, reverse=True)


def prune(unused_days: float = UNUSED_DAYS, keep: Path | None = None) -> list[CacheEntry]:
    """Remove the files that were not used for `unused_days`, then the least recently used files
    beyond LIMIT_BYTES, but not `keep`. Returns the removed files."""
    now, total = time.time(), 0
    removed = []
    for entry in entries():
        total += entry.size
        is_old = now - entry.used > unused_days * _DAY_S
        if (is_old or total > LIMIT_BYTES) and entry.path != keep:
            total -= entry.size
            removed.append(entry)
    abandoned = [path for path in _files(_PART) if now - _time(path) > _ABANDONED_S]
    _remove([*(entry.path for entry in removed), *abandoned])
    return removed


def clear() -> list[CacheEntry]:
    """Remove everything that rvplat keeps. Returns the removed files."""
    removed = entries()
    _remove([*(entry.path for entry in removed), *_files(_PART)])
    return removed


def _path(key: str) -> Path:
    return cache_folder() / f"{hashlib.sha256(_MAGIC + key.encode()).hexdigest()[:40]}.bin"


def _digest(path: Path, rest: bytes) -> bytes:
    """The digest of a file's name and of the bytes after the digest."""
    found = hashlib.sha256(path.name.encode())
    found.update(rest)
    return found.digest()


def _status(path: Path) -> os.stat_result:
    """The status of a file of the cache. OSError if the file can't be one: a read of a pipe would
    wait, and a read of a device or a very large file might take all memory."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_BYTES:
        raise OSError(errno.EINVAL, "not a file of the cache", str(path))
    return status


def _files(name: re.Pattern[str]) -> list[Path]:
    try:
        return [path for path in cache_folder().iterdir() if name.fullmatch(path.name)]
    except OSError:
        return []


def _entry(path: Path) -> CacheEntry | None:
    """Describe a file; None if another process has removed it meanwhile."""
    try:
        status = _status(path)
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    title = head[8 + _DIGEST_BYTES :].partition(b"\n")[0].decode(errors="replace")
    ours = head.startswith(_MAGIC)
    return CacheEntry(path, title if ours else "of an older rvplat", status.st_size,
                      status.st_mtime)  # fmt: skip


def _time(path: Path) -> float:
    """A file's modification time; infinity if the file is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return float("inf")


def _note_use(path: Path, before: float) -> None:
    """Set the file's time to now, unless it is recent or the folder can't be written."""
    if time.time() - before > _NOTE_USE_S:
        with contextlib.suppress(OSError):
            os.utime(path)


def _remove(paths: Iterable[Path]) -> None:
    """Remove files. Skip those that are gone already or that can't be removed."""
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()
