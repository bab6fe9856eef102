"""The packets, by subject. Importing a module enters its handlers into the groups."""

from __future__ import annotations

import importlib
from functools import cache

SUBJECTS = ("general", "threads", "registers", "memory", "running", "breakpoints", "objects",
            "files", "control")  # fmt: skip


@cache
def load() -> None:
    """Let the table have every packet."""
    for subject in SUBJECTS:
        importlib.import_module(f"{__name__}.{subject}")
