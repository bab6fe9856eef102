"""The text of one LLVM function while it is emitted: lines, labels, names, and ways to leave it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from rvplat.lang.define import Declaration, LanguageError
from rvplat.lang.native.unit import Unit
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.values import Value

_ACCESS = re.compile(r"^(%\S+ = )?(load|store|call) ")
RARE = "!prof !0"  # branch weights: the first label is rare


@dataclass
class Scope:
    """The definition whose text is being emitted: the function's, or one that replaces a call. None
    if the text is not a definition's."""

    text: ir.Body | None
    locals: dict[str, tuple[Any, str]] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)  # of locals that need no memory
    results: list[tuple[Any, str]] = field(default_factory=list)  # allocas for the return values
    exit: str = ""  # label after the text; "" for the function itself
    loops: list[tuple[str, str]] = field(default_factory=list)  # continue and break labels
    line: int = 0  # of the statement that is being emitted


class Text:
    """An LLVM function being emitted. Subclasses emit how control leaves it."""

    def __init__(self, unit: Unit, text: ir.Body | None) -> None:
        self.unit = unit
        self.definitions = unit.definitions
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self.count = 0
        self.ended = False  # whether the current block has its last instruction
        self.reached: set[str] = set()  # labels that are targets of jumps
        self.access_group = ""  # metadata of accesses in a loop whose iterations are independent
        self.catchers: list[str] = []  # labels of the try statements around, innermost last
        self.enter(Scope(text))

    def enter(self, scope: Scope) -> None:
        """Begin with the text of another definition."""
        self.scope = scope
        self.locals = scope.locals

    def fail(self, problem: str) -> LanguageError:
        """An error with the place of the statement that is being emitted."""
        assert self.scope.text is not None
        return LanguageError(f"{self.scope.text.definition.file}:{self.scope.line}", problem)

    # --- text ---

    def result(self, kind: Any, text: str) -> Value:
        """Give the value of an instruction a name."""
        name = self.temp()
        self.line(f"{name} = {text}")
        return Value(kind, name)

    def line(self, text: str) -> None:
        if self.ended:
            return
        if self.access_group and _ACCESS.search(text):
            text += f", !llvm.access.group {self.access_group}"
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
        """Note that control can go from here to the label."""
        if not self.ended:
            self.reached.add(label)

    def finish(self, text: str) -> None:
        """Emit the last instruction of a block."""
        self.line(text)
        self.ended = True

    # --- methods that subclasses override ---

    def unwind(self) -> None:
        """Emit a raise: go to the try around, or leave the function."""
        if self.catchers:
            self.go(self.catchers[-1])
        else:
            self.leave_raised()

    def leave_raised(self) -> None:
        raise NotImplementedError

    def leave(self, values: list[Value]) -> None:
        raise NotImplementedError

    def inlines(self, target: ir.Body) -> bool:
        """Whether the definition's text replaces a call of it."""
        return False

    def speak(self, word: Declaration, arguments: list[Value]) -> Value | None:
        """Emit a word that has a special meaning here. None: call its implementation."""
        return None

    def wrote(self) -> None:
        """Called when a write of state is emitted."""
