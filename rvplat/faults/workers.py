"""The runs of a campaign in several processes, each with a machine of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from rvplat.errors import RvplatError
from rvplat.faults.campaign import Campaign, Golden, Result
from rvplat.faults.plan import Fault

#: Builds the machine of a campaign, in the state that all its runs begin with. Another process
#: must be able to import it.
Begin = Callable[[], Campaign]

_campaign: Campaign | None = None


def _start(begin: Begin) -> None:
    global _campaign
    _campaign = begin()


def _inject(fault: Fault, golden: Golden) -> Result:
    assert _campaign is not None
    return _campaign.inject(fault, golden)


def results(
    campaign: Campaign, begin: Begin, faults: Sequence[Fault], golden: Golden, workers: int
) -> Iterator[Result]:
    """The results of all faults, in order. With one worker they run in this process.

    Raises:
        RvplatError: as `Campaign.inject`, or a process has died.
    """
    if workers == 1 or len(faults) <= 1:
        for fault in faults:
            yield campaign.inject(fault, golden)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (begin,)) as pool:
        try:
            yield from pool.map(_inject, faults, [golden] * len(faults))
        except BrokenProcessPool:
            raise RvplatError(
                "fault: one of the processes has died; --workers 1 runs all in this one"
            ) from None
