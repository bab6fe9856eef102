"""Compiles a definition, so that tests can call its native code."""

from typing import Any

from rvplat.lang import Record
from rvplat.lang.define import Definition
from rvplat.lang.native.exported import Raised, caller
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.native_code import NativeCode
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.unit import Unit

_keep: list[NativeCode] = []


def native(definition: Definition, implied: dict[str, Record] | None = None) -> Any:
    """A Python function that runs the definition's native code. It returns "raised" for a raise."""
    unit = Unit(implied or {})
    unit.export(definition, "f")
    code = NativeCode(compile_text(module_text(unit)))
    _keep.append(code)
    function = caller(definition, code.address("f"))

    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Raised:
            return "raised"

    return call
