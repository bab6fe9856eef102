"""What the command's tests share."""

import pytest

from rvplat import Machine


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """The first start on a machine compiles, and says so on stderr, which these tests read."""
    Machine.open(program="demo").close()
