"""Definitions apart keep what fast forms and regions rely on (`define`): they use no `x` or `f`
register, and they neither translate nor access memory by the words of scalar loads and stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rvplat.engine.architecture import Architecture
from rvplat.engine.units import definitions_of
from rvplat.hart.state import HartState
from rvplat.isa.machinery.extension import Instruction
from rvplat.lang import Declaration, Definition, Dispatch
from rvplat.lang.checking.definitions import Definitions
from rvplat.lang.typed_ir import ir
from rvplat.lang.typed_ir.effects import fixed_values
from rvplat.lang.typed_ir.values import Pointer

from .bench import EXTENSIONS, ROWS, twin

WORDS = {"host_of_load", "host_of_store", "illegal", "context_changed"}


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return definitions_of(Architecture(tuple(EXTENSIONS), xlen=64))


def nodes(
    definitions: Definitions, definition: Definition, fixed: ir.Fixed, inside: bool
) -> Iterator[ir.Node]:
    """The nodes of all that a definition calls; only those of definitions apart, and within."""
    inside = inside or definition.apart
    for node in ir.walk(definitions.body(definition, fixed).statements):
        if inside:
            yield node
        if not isinstance(node, ir.Call) or isinstance(node.target, Dispatch):
            continue
        target: Any = node.target
        if isinstance(target, Declaration):
            target = target.implementation
        if not isinstance(target, Definition) or target.signature.never_returns:
            continue
        if inside or not target.cold:
            yield from nodes(definitions, target, fixed_values(node), inside)


@pytest.mark.parametrize(
    "name", ["vadd.vv", "vfadd.vf", "vsetvli", "vsha2ms.vv", "vrgather.vv", "vmsbf.m", "viota.m"]
)
def test_one_way_needs_no_slow_handler(name: str) -> None:
    """To begin anew would call the function again, so the fast handler takes its trap."""
    handlers = twin().core.handlers
    assert handlers[f"{name}.4 slow"] == handlers[f"{name}.4"]


@pytest.mark.parametrize("name", ["vle32.v", "vse8.v", "vluxei16.v"])
def test_a_second_way_is_in_the_slow_handler(name: str) -> None:
    handlers = twin().core.handlers
    assert handlers[f"{name}.4 slow"] != handlers[f"{name}.4"]


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_what_definitions_apart_use(definitions: Definitions, row: Instruction) -> None:
    found = list(nodes(definitions, row.definition, (), False))
    assert found, "it has no part that regions call"
    words = {
        node.target.name
        for node in found
        if isinstance(node, ir.Call) and isinstance(node.target, Declaration)
    }
    assert words <= WORDS
    fields = {
        node.field.name
        for node in found
        if isinstance(node, ir.FieldPlace) and node.base.type == Pointer(HartState)
    }
    assert not fields & {"x", "f", "pc", "next_pc"}
