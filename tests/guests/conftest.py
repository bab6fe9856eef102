"""The real Debian guest with KVM, fetched once and kept in the user's cache for the next run."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from rvplat.guests.debian import DebianGuest, fetch


@pytest.fixture(scope="session")
def debian_guest() -> DebianGuest:
    """Needs apt and its network the first time; a host without them fails with what it lacks."""
    return fetch(Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian", kvm=True)
