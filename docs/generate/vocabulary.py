"""The words that a definition may ask of a hart."""

from __future__ import annotations

from collections.abc import Iterator

from generate.markdown import code, one_line, table
from generate.python_interface import call
from rvplat.isa.machinery import vocabulary
from rvplat.lang.define import Declaration


def page() -> str:
    """A table in the order of the file."""
    return table(("word", "meaning"), _rows())


def _rows() -> Iterator[tuple[str, str]]:
    for name, one in vars(vocabulary).items():
        if isinstance(one, Declaration):
            yield code(call(name, one.function)), one_line(one)
