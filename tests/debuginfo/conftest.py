"""A program with variables of many types, built with DWARF 5."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.gdb.guest_build import build_guest

OPTIONS = ("-gdwarf-5", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables")


@pytest.fixture(scope="session")
def variables_elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang")
    folder = tmp_path_factory.mktemp("variables")
    return build_guest(folder, "variables", OPTIONS, Path(__file__).parent)
