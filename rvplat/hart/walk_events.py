"""What a walk of the page tables tells an observer (lang/observation.py), which explain.py shows.
Native code has nothing for these calls."""

from rvplat.lang import event, u64


@event
def table_accessed(address: u64) -> None:
    """An entry of a guest's table is about to be found through the second stage."""


@event
def entry_checked(pa: u64, granted: u64) -> None:
    """What PMP grants the walk at the physical address of an entry."""


@event
def entry_refused(regime: u64, level: u64, address: u64) -> None:
    """An entry can't be read: PMP, no RAM, or the second stage."""


@event
def entry_read(regime: u64, level: u64, address: u64, pte: u64) -> None:
    """The value of an entry."""


@event
def entry_malformed() -> None:
    """The entry that was read last is malformed. The same holds for the next three."""


@event
def leaf_misplaced() -> None:
    """It is a superpage that isn't aligned."""


@event
def leaf_denied() -> None:
    """It doesn't allow the access."""


@event
def leaf_lacks_bits() -> None:
    """A or D is clear, and hardware doesn't set them."""


@event
def update_began() -> None:
    """A or D is going to be set in the leaf that was read last."""


@event
def update_ended() -> None:
    """The walk reads that leaf once more."""


@event
def second_stage_began(gpa: u64) -> None:
    """The first stage gave this guest physical page."""
