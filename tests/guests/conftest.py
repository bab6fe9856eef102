"""The Debian guest with KVM. It is fetched once, and kept in the user's cache for later runs."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from rvplat.guests.debian import DebianGuest, fetch


@pytest.fixture(scope="session")
def debian_guest() -> DebianGuest:
    """The first time it needs apt and its network. Without them the tests fail, naming the lack."""
    return fetch(Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian", kvm=True)
