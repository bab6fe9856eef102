"""What is wrong with a breakpoint, a watchpoint or a condition."""

from __future__ import annotations


class DebuggingError(ValueError):
    """It can't be set: the text says why."""
