"""Events: messages without an id that a client has subscribed to.

state     the machine has started or stopped: a `State`
console   a guest has written: `console` and `data`
sample    where the harts are and what they have done, while the machine runs and when it stops
"""

from __future__ import annotations

from typing import Literal, get_args

from rvplat.api.errors import BadParameter
from rvplat.api.interfaces import Session
from rvplat.api.registry import method

Event = Literal["state", "console", "sample"]
SHORTEST_S, LONGEST_S = 0.05, 3600.0


@method("free")
def events_subscribe(session: Session, events: list[Event], period_s: float = 0.1) -> list[Event]:
    """Get events from now on; returns all that the client gets. `period_s` is the time between two
    samples, 0.05 s or more. Traps, world switches and exits are counted in samples: their rate
    costs nothing, and none is lost."""
    if not SHORTEST_S <= period_s <= LONGEST_S:
        raise BadParameter(f"period_s={period_s}: expected {SHORTEST_S} to {LONGEST_S:.0f}")
    session.events.update(dict.fromkeys(events, period_s))
    session.api.subscribed()
    return [one for one in get_args(Event) if one in session.events]


@method("free")
def events_unsubscribe(session: Session, events: list[Event]) -> list[Event]:
    """Get these events no more; returns those that are left."""
    for event in events:
        session.events.pop(event, None)
    return [one for one in get_args(Event) if one in session.events]
