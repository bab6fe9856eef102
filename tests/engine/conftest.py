"""The guest with symbols that gdb's tests debug."""

from __future__ import annotations

from tests.gdb.conftest import guest

__all__ = ["guest"]
