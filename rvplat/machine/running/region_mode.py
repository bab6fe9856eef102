"""What becomes regions: the board says it, and the variable RVPLAT_REGIONS overrides the board."""

from __future__ import annotations

import os
from typing import get_args

from rvplat.errors import HostError, did_you_mean, nearest
from rvplat.machine.boards.board import Regions

VARIABLE = "RVPLAT_REGIONS"


def region_mode(board: Regions) -> str:
    """The mode of a machine whose board has this `harts.regions`.

    Raises:
        HostError: the variable has another value.
    """
    chosen = os.environ.get(VARIABLE) or board
    modes = get_args(Regions)
    if chosen not in modes:
        expected = ", ".join(modes)
        hint = did_you_mean(nearest(chosen.lower(), modes))
        raise HostError(f"{VARIABLE}={chosen}: expected one of {expected}{hint}")
    return chosen
