"""Definitions for whose whole text the host may have an instruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from rvplat.lang.define import Definition, IrText, intrinsic
from rvplat.lang.host.cryptography import (
    AES_DECRYPT_LAST,
    AES_ENCRYPT,
    AES_ENCRYPT_LAST,
    CARRYLESS_HIGH,
    CARRYLESS_LOW,
    SHA256_MESSAGE,
    SHA256_ROUNDS,
)

__all__ = [
    "AES_DECRYPT_LAST", "AES_ENCRYPT", "AES_ENCRYPT_LAST", "CARRYLESS_HIGH", "CARRYLESS_LOW",
    "SHA256_MESSAGE", "SHA256_ROUNDS", "with_host_form",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])


def with_host_form(form: IrText | None) -> Callable[[F], F]:
    """Make a definition whose native code is `form`, LLVM text as an intrinsic has it. CPython runs
    the text, and so does native code where `form` is None: the host has no such instruction."""

    def made(function: F) -> F:
        definition: Any = Definition(function)
        if form is None:
            return definition  # type: ignore[no-any-return]
        return intrinsic(*form)(function)

    return made
