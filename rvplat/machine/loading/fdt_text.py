"""Device trees as DTS text (Devicetree Specification v0.4, chapter 6)."""

from __future__ import annotations

from itertools import groupby

from rvplat.machine.loading.fdt import Item, Node, Phandle


def to_dts(root: Node) -> str:
    """The tree as DTS text for dtc; phandles of labelled nodes stay symbolic."""
    return "/dts-v1/;\n\n" + "\n".join(_node(root, 0)) + "\n"


def _node(node: Node, depth: int) -> list[str]:
    indent = "\t" * depth
    label = f"{_label(node.label)}: " if node.label else ""
    lines = [f"{indent}{label}{node.name or '/'} {{"]
    for name, values in node.properties.items():
        if name != "phandle" or not node.label:  # dtc numbers labelled nodes itself
            lines.append(f"{indent}\t{name}{_assigned(values)};")
    for child in node.children:
        lines += ["", *_node(child, depth + 1)]
    return [*lines, f"{indent}}};"]


def _label(label: str) -> str:
    """A label may hold letters, digits and underscores only (section 6.2)."""
    return "".join(c if c.isalnum() else "_" for c in label)


def _assigned(values: tuple[Item, ...]) -> str:
    parts = [
        part
        for kind, items in groupby(values, key=lambda item: isinstance(item, int))
        for part in ([_cells(list(items))] if kind else [_text(item) for item in items])
    ]
    return f" = {', '.join(parts)}" if parts else ""


def _cells(items: list[Item]) -> str:
    return "<" + " ".join(_cell(item) for item in items if isinstance(item, int)) + ">"


def _cell(cell: int) -> str:
    if isinstance(cell, Phandle) and cell.label:
        return f"&{_label(cell.label)}"
    return f"{cell:#x}"


def _text(item: Item) -> str:
    return _guessed(item) if isinstance(item, bytes) else _quoted(str(item))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _guessed(data: bytes) -> str:
    """Bytes of unknown type, interpreted as dtc does: strings, else cells, else bytes."""
    texts = data[:-1].split(b"\0")
    if data.endswith(b"\0") and all(text and _printable(text) for text in texts):
        return ", ".join(_quoted(text.decode()) for text in texts)
    if len(data) % 4 == 0:
        words = (data[i : i + 4] for i in range(0, len(data), 4))
        return "<" + " ".join(f"{int.from_bytes(word, 'big'):#x}" for word in words) + ">"
    return "[" + data.hex(" ") + "]"


def _printable(text: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in text)
