"""The tests here choose the mode themselves, also if all other tests run with regions."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def mode_of_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RVPLAT_REGIONS", raising=False)
