"""The text that begins a region: it goes on at the head where the region is entered."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from rvplat.engine.regions.lines import Lines

FEW = 4  # heads that are compared one by one


def head_table(heads: Collection[int]) -> list[str]:
    """The table of the numbers of heads, by halfwords from the first head on. With it, LLVM makes
    one indirect jump instead of a tree of comparisons."""
    if len(heads) <= FEW:
        return []
    numbers, kind = _numbers(heads), _kind(heads)
    row = [numbers.get(at, 0) for at in range(min(heads), max(heads) + 1, 2)]
    text = ", ".join(f"{kind} {number}" for number in row)
    return [f"@heads = private unnamed_addr constant [{len(row)} x {kind}] [{text}]"]


def go_to_head(out: Lines, inside: str, labels: Mapping[int, str]) -> None:
    """Go on at the head at an offset of the page. `labels`: of all heads."""
    kind, cases = "i64", {head: head for head in labels}
    if len(labels) > FEW:
        kind, cases, first = _kind(labels), _numbers(labels), min(labels)
        unit = out.value(f"lshr i64 {out.value(f'sub i64 {inside}, {first}')}, 1")
        table = f"[{(max(labels) - first) // 2 + 1} x {kind}]"
        place = out.value(f"getelementptr inbounds {table}, ptr @heads, i64 0, i64 {unit}")
        inside = out.value(f"load {kind}, ptr {place}")
    out.put(f"  switch {kind} {inside}, label %nowhere [")
    for head, label in sorted(labels.items()):
        out.put(f"    {kind} {cases[head]}, label %{label}")
    out.put("  ]\nnowhere:\n  unreachable")


def _numbers(heads: Collection[int]) -> dict[int, int]:
    return {head: number for number, head in enumerate(sorted(heads))}


def _kind(heads: Collection[int]) -> str:
    """The type of the numbers of heads."""
    return "i8" if len(heads) <= 256 else "i16"
