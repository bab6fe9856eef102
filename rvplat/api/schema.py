"""The types of the API's parameters and results: checks of what clients send, and JSON Schema.

A method's annotations are the one source. JSON numbers are exact up to 2**53 only, so that values
of registers and addresses (`Word`) are strings such as "0x80000000" in results; a parameter may be
a number too. Bytes are strings of two hexadecimal digits each."""

from __future__ import annotations

import re
import types
from typing import Any, Literal, NewType, Union, get_args, get_origin, get_type_hints, is_typeddict

from rvplat.api.errors import BadParameter

#: A 64-bit value in a result: "0x80000000".
Word = NewType("Word", str)
#: A 64-bit value as a parameter: such a string, or a number.
Value = NewType("Value", int)
#: An address: a number, or a symbol of the world with or without an offset.
Address = NewType("Address", str)
#: Bytes in a result: two hexadecimal digits each.
Hex = NewType("Hex", str)
#: Bytes as a parameter.
HexBytes = NewType("HexBytes", bytes)

_WORD = re.compile(r"0x[0-9a-fA-F_]{1,20}|[0-9][0-9_]{0,25}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_PLAIN: dict[Any, tuple[str, str]] = {
    bool: ("boolean", "true or false"),
    str: ("string", "a string"),
    int: ("integer", "an integer"),
    float: ("number", "a number"),
}
_SPECIAL: dict[Any, dict[str, Any]] = {
    Word: {"type": "string", "pattern": "^0x[0-9a-f]+$"},
    Value: {"type": ["string", "integer"], "pattern": "^(0x[0-9a-fA-F_]+|[0-9_]+)$"},
    Address: {"type": ["string", "integer"], "description": "0x1000, 4096, main or main+0x10"},
    Hex: {"type": "string", "pattern": "^([0-9a-f]{2})*$"},
    HexBytes: {"type": "string", "pattern": "^([0-9a-fA-F]{2})*$"},
    Any: {},
}
SHOWN = 60  # characters of a wrong value in a message
MASK64 = (1 << 64) - 1


def text_of(value: int) -> Word:
    """A value as a result has it."""
    return Word(f"{int(value) & MASK64:#x}")


def hex_of(data: bytes | bytearray) -> Hex:
    """Bytes as a result has them."""
    return Hex(data.hex())


def shown(value: object) -> str:
    """A wrong value, for a message."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def taken(kind: Any, value: Any, name: str) -> Any:
    """The Python value for a parameter. BadParameter if it has another type."""
    if kind is Value:
        return _word(value, name)
    if kind is Address:
        return value if isinstance(value, str) and value else _word(value, name)
    if kind is HexBytes:
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            raise BadParameter(f"{name}={shown(value)}: expected two hexadecimal digits for a byte")
        return bytes.fromhex(value)
    if get_origin(kind) is Literal:
        if not isinstance(value, str) or value not in get_args(kind):
            choices = ", ".join(map(str, get_args(kind)))
            raise BadParameter(f"{name}={shown(value)}: expected one of {choices}")
        return value
    if get_origin(kind) in (Union, types.UnionType):
        return _one_of(get_args(kind), value, name)
    if get_origin(kind) is list:
        return _several(kind, value, name)
    return _plain(kind, value, name)


def _word(value: Any, name: str) -> int:
    number = value
    if isinstance(value, str) and _WORD.fullmatch(value):
        number = int(value, 0 if value.startswith("0x") else 10)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MASK64:
        raise BadParameter(f'{name}={shown(value)}: expected a 64-bit value, such as "0x80000000"')
    return number


def _one_of(kinds: tuple[Any, ...], value: Any, name: str) -> Any:
    if value is None and type(None) in kinds:
        return None
    problems = []
    for kind in kinds:
        if kind is type(None):
            continue
        try:
            return taken(kind, value, name)
        except BadParameter as error:
            problems.append(str(error).partition("expected ")[2])
    raise BadParameter(f"{name}={shown(value)}: expected {', or '.join(problems)}")


def _several(kind: Any, value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadParameter(f"{name}={shown(value)}: expected a list")
    (inner,) = get_args(kind)
    return [taken(inner, one, f"{name}[{n}]") for n, one in enumerate(value)]


def _plain(kind: Any, value: Any, name: str) -> Any:
    wanted = (int, float) if kind is float else kind
    wrong_flag = isinstance(value, bool) != (kind is bool)
    if wrong_flag or not isinstance(value, wanted):
        raise BadParameter(f"{name}={shown(value)}: expected {_PLAIN[kind][1]}")
    return value


def schema_of(kind: Any) -> dict[str, Any]:
    """JSON Schema of an annotation."""
    if kind in _SPECIAL:
        return dict(_SPECIAL[kind])
    if kind is None or kind is type(None):
        return {"type": "null"}
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        found: dict[str, Any] = {"type": "object", "title": kind.__name__}
        found["properties"] = {name: schema_of(one) for name, one in hints.items()}
        found["required"] = sorted(kind.__required_keys__)
        return found
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_of(one) for one in inner]}
    if origin is list:
        return {"type": "array", "items": schema_of(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    return {"type": _PLAIN[kind][0]}


def words_of(kind: Any) -> str:
    """An annotation in a few words, for tables of the documentation."""
    names = {Word: "Word", Value: "Word", Address: "Address", Hex: "Hex", HexBytes: "Hex",
             Any: "any", type(None): "null"}  # fmt: skip
    if kind is None or kind in names:
        return names.get(kind, "null")
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " | ".join(f'"{one}"' for one in inner)
    if origin in (Union, types.UnionType):
        return " | ".join(words_of(one) for one in inner)
    if origin is list:
        return f"list of {words_of(inner[0])}"
    if origin is dict:
        return f"object of {words_of(inner[1])}"
    return kind.__name__ if is_typeddict(kind) else _PLAIN[kind][0]
