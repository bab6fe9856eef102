"""One machine on the virtual clock, stopped in its first guest, for all the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.api.server import Api
from tests.api.client import TOKEN, Client


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The demo hypervisor with its API, not run yet."""
    settings = {"clock": "virtual", "harts.count": 1}
    with (
        Machine.open("virt", program="hypervisor", settings=settings) as machine,
        Api(machine, TOKEN, tmp_path_factory.mktemp("snapshots")) as made,
    ):
        made.listen_unix(tmp_path_factory.mktemp("api") / "api.sock")
        yield made
        made.control.end("leave")


@pytest.fixture(scope="module")
def path(api: Api) -> Path:
    """Its Unix socket."""
    return Path(api.places[0].removeprefix("unix:"))


@pytest.fixture
def client(path: Path) -> Iterator[Client]:
    """A client that has said the token."""
    with Client(path) as made:
        yield made
