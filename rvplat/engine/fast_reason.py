"""Why an instruction has no fast form (fast.py), for `rvplat isa` and the documentation.

It lets the compiler make the fast form's text, and notes where that gives up.
"""

from __future__ import annotations

from collections.abc import Iterable

import rvplat.hart.implementations  # noqa: F401 (implements the vocabulary)
from rvplat.engine.architecture import Architecture
from rvplat.engine.fast import FastEmitter, NoFastForm
from rvplat.engine.units import new_unit
from rvplat.isa.machinery.extension import Extension, Instruction
from rvplat.lang import Dispatch
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.values import Value


class FastForms:
    """Which instructions of some extensions have a fast form."""

    def __init__(self, extensions: Iterable[Extension]) -> None:
        every = tuple(extensions)
        architecture = Architecture(every, xlen=every[0].xlen if every else 64)
        self._unit = new_unit(architecture)
        self._forms = {form.instruction.name: form for form in architecture.forms}

    def why_slow(self, instruction: Instruction) -> str:
        """Why an instruction always runs in its slow form; "" if it has a fast one."""
        form = self._forms[instruction.name]
        emitter = _Observer(self._unit, [form], self._unit.definitions)
        try:
            emitter.text("@observed")
        except NoFastForm:
            return (
                f"it changes state before {emitter.blamed}, where a fast form would have to start "
                "the instruction again"
            )
        if emitter.finishes:
            return ""
        return f"every path through it calls {emitter.blamed}, which only slow forms may call"


class _Observer(FastEmitter):
    """Makes a fast form. Notes whether any path through it reaches its end, and what makes others
    give up: the outermost call that leads to code which only slow forms may call."""

    finishes = False
    blamed = "something"
    outer = ""

    def leave(self, values: list[Value]) -> None:
        self.finishes |= not self.ended
        super().leave(values)

    def jump_to(self, target: str, budget: str) -> None:
        self.finishes |= not self.ended
        super().jump_to(target, budget)

    def in_place(self, target: ir.Body, arguments: list[Value]) -> list[Value]:
        before, definition = self.outer, target.definition
        self.outer = before or f"`{definition.name}`"
        if not self.ended and (definition.cold or definition.signature.never_returns):
            self.blamed = self.outer
        values = super().in_place(target, arguments)
        self.outer = before
        return values

    def call_function(self, target: ir.Body | Dispatch, arguments: list[Value]) -> list[Value]:
        if not self.ended and isinstance(target, Dispatch):
            self.blamed = self.outer or "a table of functions"
        return super().call_function(target, arguments)
