"""The program with variables of debuginfo's tests."""

from __future__ import annotations

from tests.debuginfo.conftest import variables_elf

__all__ = ["variables_elf"]
