"""Tables of text."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], align: str = "") -> str:
    """A table with a header line, whose columns are as wide as their widest cells. `align` has a
    letter for each column: "<" for left (the default) or ">" for right."""
    lines = [head, *rows]
    sides = align.ljust(len(head), "<")
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    return "".join(_line(line, widths, sides) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], sides: str) -> str:
    padded = [f"{c:{side}{w}}" for c, w, side in zip(cells, widths, sides, strict=True)]
    return "  ".join(padded).rstrip() + "\n"


def html_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The same as HTML, for notebooks: plain, with all text escaped."""
    from html import escape

    def line(tag: str, cells: Sequence[object]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(one))}</{tag}>" for one in cells) + "</tr>"

    body = "".join(line("td", one) for one in rows)
    top = f"<thead>{line('th', head)}</thead>" if head else ""
    return f"<table><caption>{escape(caption)}</caption>{top}<tbody>{body}</tbody></table>"
