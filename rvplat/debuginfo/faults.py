"""Errors of damaged files. pyelftools raises whatever comes of wrong bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rvplat.errors import DebugInfoError


class NotThere(LookupError):
    """What an expression or a rule needs is not there: memory, a register, a known operation."""


class OutsideError(Exception):
    """An error of a function that was given to read memory with: it says nothing of the file."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


#: pyelftools moves the place in a file that it reads next: one thread at a time.
_one_thread = threading.RLock()


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """In a `with` block, an error of any kind becomes a DebugInfoError that names the file."""
    try:
        with _one_thread:
            yield
    except (DebugInfoError, NotThere, OutsideError):
        raise
    except OSError as error:
        raise DebugInfoError(f"{path}: {error.strerror or error}") from error
    except Exception as error:
        kind = type(error).__name__
        said = str(error).splitlines()
        why = f"{kind}: {said[0]}" if said else kind
        raise DebugInfoError(
            f"{path}: {what} can't be read, the file is damaged ({why})"
        ) from error
