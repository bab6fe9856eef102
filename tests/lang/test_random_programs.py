"""Random programs of the language have the same results under CPython and as native code.

RVPLAT_PROGRAMS is the number of programs (default: 200). Hypothesis chooses the seeds and the
arguments, so that it can reproduce and simplify a difference.
"""

import ctypes
import linecache
import os
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rvplat.lang import address_of
from rvplat.lang.define import Definition
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.native_code import NativeCode
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.unit import Unit
from tests.lang.random_programs import programs

A_MODULE = 10
MODULES = max(1, int(os.environ.get("RVPLAT_PROGRAMS", "200")) // A_MODULE)
ARGUMENTS = st.lists(
    st.tuples(st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1)), min_size=3, max_size=6
)


def module(text: str, name: str) -> dict[str, Any]:
    """Execute the text; return its names. The compiler finds the text as that of a file."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": name}
    exec(compile(text, name, "exec"), names)
    return names


@settings(max_examples=MODULES, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32), ARGUMENTS)
def test_native_code_agrees_with_cpython(seed: int, arguments: list[tuple[int, int]]) -> None:
    text = programs(seed, A_MODULE)
    names = module(text, f"<programs {seed}>")
    definitions = [names[f"p{number}"] for number in range(A_MODULE)]
    unit = Unit({})
    for definition in definitions:
        unit.export(definition, definition.name)
    code = NativeCode(compile_text(module_text(unit)))
    for definition in definitions:
        kinds = [ctypes.c_uint8, *[ctypes.c_uint64] * 3, ctypes.c_void_p]
        native = ctypes.CFUNCTYPE(*kinds)(code.address(definition.name))
        for a, b in arguments:
            expected = expect(definition, names, a, b)
            result = ctypes.c_uint64()
            memory, box = new_box(names)
            raised = native(address_of(box), a, b, ctypes.addressof(result))
            found = "raised" if raised else result.value
            left = found, bytes(memory)
            assert left == expected, f"seed {seed}, {definition.name}({a:#x}, {b:#x})\n{text}"


def new_box(names: dict[str, Any]) -> tuple[Any, Any]:
    """Memory of a record, cleared, and the record in it."""
    memory = ctypes.create_string_buffer(names["Box"].size)
    return memory, names["Box"].view(ctypes.addressof(memory))


def expect(definition: Definition, names: dict[str, Any], a: int, b: int) -> tuple[Any, bytes]:
    """The results under CPython: the value or "raised", and the record's bytes."""
    memory, box = new_box(names)
    try:
        found: int | str = int(definition(box, a, b))
    except names["Odd"]:
        found = "raised"
    return found, bytes(memory)
