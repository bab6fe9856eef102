"""Zifencei, the instruction-fetch fence (Unprivileged, "Zifencei")."""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import synchronise_instructions

Zifencei = Extension("Zifencei", "2.0", "ratified", "Instruction-fetch fence", ("I",))


@Zifencei.instruction("------------ ----- 001 ----- 0001111", "fence.i")
def fence_i(hart):
    """Order stores before later fetches. The unused fields are ignored."""
    synchronise_instructions(hart)
