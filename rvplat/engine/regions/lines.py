"""Lines of LLVM text, with new names for values."""

from __future__ import annotations


class Lines:
    """A text that grows."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.count = 0

    def put(self, line: str) -> None:
        self.lines.append(line)

    def value(self, text: str) -> str:
        """Add an instruction; returns the name of its value."""
        self.count += 1
        self.lines.append(f"  %v{self.count} = {text}")
        return f"%v{self.count}"
