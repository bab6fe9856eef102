"""Events: what a definition tells an observer (observation.py). Native code drops them."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any, TypeVar

from rvplat.lang.define import Intrinsic
from rvplat.lang.observation import observations

F = TypeVar("F", bound=Callable[..., Any])


class Event(Intrinsic):
    """A leaf that tells the thread's observer, if it has one, and does nothing else."""

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__(function, "", (), writes=False)

    def __call__(self, *arguments: Any) -> None:
        if observations and (observation := observations.get(get_ident())):
            getattr(observation.observer, self.name)(*map(int, self._arguments(arguments)))


def event(function: F) -> F:
    """Make an event. The function has a docstring and no other text."""
    return Event(function)  # type: ignore[return-value]
