"""Compiles a definition, so that tests can call its native code."""

import ctypes
from typing import Any

from rvplat.lang import Record, address_of
from rvplat.lang.define import Definition
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.objects import NativeCode, compile_text
from rvplat.lang.native.unit import Unit

_keep: list[NativeCode] = []


def native(definition: Definition, implied: dict[str, Record] | None = None) -> Any:
    """A Python function that runs the definition's native code and returns (raised, values)."""
    unit = Unit(implied or {})
    unit.export(definition, "f")
    code = NativeCode(compile_text(module_text(unit)))
    _keep.append(code)
    kinds = [_argument(t) for t in definition.signature.types]
    function = ctypes.CFUNCTYPE(ctypes.c_uint8, *kinds, ctypes.c_uint64)(code.address("f"))
    parts = definition.signature.parts

    def call(*arguments: Any) -> Any:
        out = (ctypes.c_uint64 * 4)()
        raised = function(*(address_of(a) for a in arguments), ctypes.addressof(out))
        if raised:
            return "raised"
        values = [bool(v & 1) if k is bool else k(v) for k, v in zip(parts, out, strict=False)]
        return values[0] if len(values) == 1 else tuple(values)

    return call


def _argument(kind: Any) -> Any:
    sizes = {8: ctypes.c_uint8, 16: ctypes.c_uint16, 32: ctypes.c_uint32}
    return sizes.get(getattr(kind, "bits", 64), ctypes.c_uint64)
