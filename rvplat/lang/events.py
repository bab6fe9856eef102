"""Events: calls that inform an observer (observation.py). Native code omits them."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any, TypeVar

from rvplat.lang.define import Intrinsic
from rvplat.lang.observation import observations

F = TypeVar("F", bound=Callable[..., Any])


class Event(Intrinsic):
    """An intrinsic that calls the thread's observer, if there is one, and does nothing else."""

    def __init__(self, function: Callable[..., None]) -> None:
        super().__init__(function, "", (), writes=False)

    def __call__(self, *arguments: Any) -> None:
        if observations and (observation := observations.get(get_ident())):
            getattr(observation.observer, self.name)(*map(int, self._arguments(arguments)))


def event(function: F) -> F:
    """Make an event. The function has only a docstring."""
    return Event(function)  # type: ignore[return-value]
