"""What goes wrong while guests are fetched, built or measured."""

from __future__ import annotations

from collections.abc import Callable

from rvplat.errors import RvplatError

Progress = Callable[[str, float | None], None]
"""Is told what is being done, and how much of it (0 to 1) is done where that is known."""


class GuestError(RvplatError):
    """A guest cannot be had; the text says what is missing and what to do about it."""


def silent(text: str, fraction: float | None) -> None:
    """The progress that nobody watches."""
