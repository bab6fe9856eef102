"""The text of one LLVM function as it grows: lines, labels, names, and where control leaves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rvplat.lang import ir
from rvplat.lang.define import Declaration, LanguageError
from rvplat.lang.unit import Unit
from rvplat.lang.values import Value

RARE = "!prof !0"  # branch weights: the first label is rare


@dataclass
class Scope:
    """The text being emitted: a definition's own, or that of one put in place; None if it is
    nobody's."""

    text: ir.Body | None
    locals: dict[str, tuple[Any, str]] = field(default_factory=dict)
    results: list[tuple[Any, str]] = field(default_factory=list)  # where return values go
    exit: str = ""  # label after the text; "" for the function itself
    loops: list[tuple[str, str]] = field(default_factory=list)  # continue and break labels
    line: int = 0  # of the statement that is being emitted


class Text:
    """An LLVM function being emitted. Subclasses say how control leaves it."""

    def __init__(self, unit: Unit, text: ir.Body | None) -> None:
        self.unit = unit
        self.definitions = unit.definitions
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.count = 0
        self.ended = False  # the current block has its last instruction
        self.reached: set[str] = set()  # labels that something jumps to
        self.catchers: list[str] = []  # labels of the try statements around, innermost last
        self.enter(Scope(text))

    def enter(self, scope: Scope) -> None:
        """Go on with the text of another definition."""
        self.scope = scope
        self.locals = scope.locals

    def fail(self, problem: str) -> LanguageError:
        """The error for the statement that is being emitted, with its place."""
        assert self.scope.text is not None
        return LanguageError(f"{self.scope.text.definition.file}:{self.scope.line}", problem)

    # --- text ---

    def result(self, kind: Any, text: str) -> Value:
        """Give the value of an instruction a name."""
        name = self.temp()
        self.line(f"{name} = {text}")
        return Value(kind, name)

    def line(self, text: str) -> None:
        if not self.ended:
            self.lines.append("  " + text)

    def temp(self) -> str:
        self.count += 1
        return f"%t{self.count}"

    def label(self) -> str:
        self.count += 1
        return f"L{self.count}"

    def alloca(self, kind: str) -> str:
        name = self.temp()
        self.allocas.append(f"  {name} = alloca {kind}")
        return name

    def start(self, label: str) -> None:
        self.go(label)
        self.lines.append(f"{label}:")
        self.ended = False

    def go(self, label: str) -> None:
        self.reach(label)
        self.line(f"br label %{label}")
        self.ended = True

    def branch_on(self, condition: Value, then: str, otherwise: str, rare: str = "") -> None:
        self.reach(then)
        self.reach(otherwise)
        weights = f", {rare}" if rare else ""
        self.line(f"br i1 {condition.text}, label %{then}, label %{otherwise}{weights}")
        self.ended = True

    def reach(self, label: str) -> None:
        """Control goes to the label from here, if it comes here."""
        if not self.ended:
            self.reached.add(label)

    def finish(self, text: str) -> None:
        """The last instruction of a block."""
        self.line(text)
        self.ended = True

    # --- hooks for the kinds of function ---

    def unwind(self) -> None:
        """Leave because something was raised: to the try around, or out of the function."""
        if self.catchers:
            self.go(self.catchers[-1])
        else:
            self.leave_raised()

    def leave_raised(self) -> None:
        raise NotImplementedError

    def leave(self, values: list[Value]) -> None:
        raise NotImplementedError

    def inlines(self, target: ir.Body) -> bool:
        """Whether a call is replaced by the text."""
        return False

    def speak(self, word: Declaration, arguments: list[Value]) -> Value | None:
        """A declared word with a meaning of its own here; None: call its implementation."""
        return None

    def wrote(self) -> None:
        """State is being written."""
