"""Markdown in pieces."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

_SECTION = re.compile(r"(Args|Raises|Returns):")
_COLUMNS = re.compile(r"\S {2,}\S")
_ITEM = re.compile(r"    (\S.*?): (.*)")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """A word or an expression in a line; nothing for nothing."""
    return f"`{text}`" if text else ""


def block(text: str, language: str = "text") -> str:
    """Lines as they are."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def anchor(name: str) -> str:
    """A target that other pages can name: `[text](#name)`."""
    return f"({name})=\n"


def docstring(thing: object) -> str:
    """A docstring as Markdown: its Args, Returns and Raises become lists."""
    lines = _tables_as_blocks((inspect.getdoc(thing) or "").splitlines())
    found: list[str] = []
    listed = False
    for line in lines:
        title, item = _SECTION.fullmatch(line), _ITEM.fullmatch(line)
        if title:
            found += ["", f"{title[1]}:", ""]
            listed = True
        elif listed and item:
            found.append(f"- {_names(item[1])}: {item[2]}")
        elif listed and line.startswith("     "):
            found.append(f"  {line.strip()}")
        else:
            listed = listed and line.startswith(" ")
            found.append(f"- {line.strip()}" if listed else line)
    return "\n".join(found) + "\n"


def _tables_as_blocks(lines: list[str]) -> list[str]:
    """Paragraphs with aligned columns keep their shape."""
    text = "\n".join(lines)
    paragraphs = text.split("\n\n")
    for number, paragraph in enumerate(paragraphs):
        rows = paragraph.split("\n")
        aligned = sum(_COLUMNS.search(row.strip()) is not None for row in rows)
        if aligned > 1 and not paragraph.startswith("    ") and "```" not in paragraph:
            paragraphs[number] = block(paragraph)
    return "\n\n".join(paragraphs).splitlines()


def _names(text: str) -> str:
    return ", ".join(f"`{name.strip()}`" for name in text.split(","))


def one_line(thing: object) -> str:
    """A docstring's words, on one line."""
    return " ".join((inspect.getdoc(thing) or "").split())
