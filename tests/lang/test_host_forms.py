"""Definitions with a form of the host: that form against the native code of their text.

On a host without the instructions both are the text, and the test compares it with CPython alone.
"""

import ctypes
import random
from typing import Any

import pytest

from rvplat.isa import rv_zbc
from rvplat.isa.vector import aes, sha2
from rvplat.lang import Definition, define, u64
from tests.lang.compiled import native

DRAWS = 50
GROUPS = 4  # of 16 bytes: what is written, and up to three operands
ON_GROUPS: list[Any] = [
    aes.encrypt_middle, aes.encrypt_last, aes.decrypt_last, sha2.two_rounds_of_32,
    sha2.next_words_of_32,
]  # fmt: skip
PRODUCTS: list[Any] = [rv_zbc.product_low, rv_zbc.product_above]


def name_of(definition: Any) -> str:
    return str(definition.name)


def calls(operation: Any, in_place: bool) -> Any:
    """A definition that calls an operation with the addresses of groups that lie side by side. It
    writes to the first one, or to its last operand."""
    if len(operation.signature.names) == 3:

        @define
        def three(at: u64) -> u64:
            operation(at + 32 if in_place else at, at + 16, at + 32)
            return at

        return three

    @define
    def four(at: u64) -> u64:
        operation(at + 48 if in_place else at, at + 16, at + 32, at + 48)
        return at

    return four


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("operation", ON_GROUPS, ids=name_of)
def test_groups(operation: Any, in_place: bool) -> None:
    text: Any = Definition(operation.function)
    ways = [
        native(calls(operation, in_place)),
        native(calls(text, in_place)),
        calls(text, in_place),
    ]
    draws = random.Random(name_of(operation))
    for _ in range(DRAWS):
        data = draws.randbytes(16 * GROUPS)
        found = set()
        for way in ways:
            memory = (ctypes.c_uint8 * (16 * GROUPS)).from_buffer_copy(data)
            way(u64(ctypes.addressof(memory)))
            found.add(bytes(memory))
        assert len(found) == 1
        assert found != {data}


@pytest.mark.parametrize("operation", PRODUCTS, ids=name_of)
def test_products(operation: Any) -> None:
    text: Any = Definition(operation.function)

    def call(a: u64, b: u64) -> u64:
        return operation(a, b)  # type: ignore[no-any-return]

    by_host: Any = define(call)
    ways = [native(by_host), native(text), text]
    draws = random.Random(name_of(operation))
    numbers = [0, 1, 1 << 63, (1 << 64) - 1, *(draws.getrandbits(64) for _ in range(DRAWS))]
    for a, b in zip(numbers, reversed(numbers), strict=True):
        assert len({int(way(u64(a), u64(b))) for way in ways}) == 1
