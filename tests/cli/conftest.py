"""What the command's tests share."""

import pytest

from rvplat import Machine


@pytest.fixture(scope="session", autouse=True)
def compiled() -> None:
    """Compile first: the first start prints that it compiles, on stderr, which these tests read."""
    Machine.open(program="demo").close()
