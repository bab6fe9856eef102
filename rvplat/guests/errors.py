"""The errors of fetching, building and measuring guests, and the type of progress callbacks."""

from __future__ import annotations

from collections.abc import Callable

from rvplat.errors import RvplatError

Progress = Callable[[str, float | None], None]
"""Receives a text about the current step, and the share of it that is done (0 to 1), if known."""


class GuestError(RvplatError):
    """A guest can't be fetched, built or measured. The text says why, and what to do about it."""


def silent(text: str, fraction: float | None) -> None:
    """A Progress that ignores its calls."""
