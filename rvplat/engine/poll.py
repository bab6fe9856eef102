"""Loops in plugins' definitions check in each iteration whether they must end.

A loop that never ends would keep its hart in native code for ever, even if the hart must stop. The
definitions of rvplat have no such loops; theirs don't check, so this costs them nothing.
"""

from pathlib import Path
from typing import NoReturn

import rvplat
from rvplat.hart.state import STOP_STUCK, HartState
from rvplat.hart.trap import Abandoned
from rvplat.lang import Definition, define, intrinsic, u32
from rvplat.lang.typed_ir.effects import Poll

_OURS = str(Path(rvplat.__file__).parent)
_PLACE = HartState.fields["abandon"].offset


@intrinsic(
    f"%p{{t}} = getelementptr i8, ptr {{0}}, i64 {_PLACE}\n"
    "{result} = load volatile i32, ptr %p{t}, align 4"
)
def is_abandoned(hart: HartState) -> u32:
    """Whether loops must end. It is read from memory each time, because other threads set it."""
    return hart.abandon


@define(cold=True)
def give_up(hart) -> NoReturn:
    """Leave native code."""
    hart.stop = STOP_STUCK
    raise Abandoned


@define
def look(hart):
    """Called at the begin of each iteration."""
    if is_abandoned(hart) != 0:
        give_up(hart)


def is_foreign(definition: Definition) -> bool:
    """Whether a definition's text is a plugin's."""
    return not definition.file.startswith((_OURS, "<csr "))


assert isinstance(look, Definition)
POLL = Poll(look, HartState, is_foreign)
