"""The user's cache folder keeps what is slow to make from one start to the next.

The caller's key holds everything that the bytes depend on. `save_cached` writes a file beside and
renames it into place, so that two processes and a kill do no harm. A file begins with a digest of
the rest, so that a torn one is seen and made again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

_DIGEST_BYTES = 32


def cache_folder() -> Path:
    """The folder that RVPLAT_CACHE names; without it, the user's cache folder."""
    chosen = os.environ.get("RVPLAT_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("rvplat"))


def load_cached(key: str) -> bytes | None:
    """The bytes kept under the key; None if there are none, or the file is torn."""
    try:
        data = _path(key).read_bytes()
    except OSError:
        return None
    digest, rest = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return rest if hashlib.sha256(rest).digest() == digest else None


def save_cached(key: str, data: bytes) -> OSError | None:
    """Keep bytes under the key. Returns the error if the folder can't be written."""
    path = _path(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(data).digest() + data)
        Path(file.name).replace(path)
    except OSError as error:
        return error
    return None


def _path(key: str) -> Path:
    return cache_folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.bin"
