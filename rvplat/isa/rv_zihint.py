"""Zihintpause and Zihintntl, hints (Unprivileged, "Zihintpause" and "Zihintntl").

`pause` lets the threads of other harts run first; the other hints do nothing. On a hart without
these extensions the same encodings are a fence and additions to x0, which do nothing either. The
compressed hints of Zihintntl need no rows: they run as c.add.
"""

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import relax

Zihintpause = Extension(
    "Zihintpause", version="2.0", standing="ratified", title="Pause hint", requires=("I",)
)
Zihintntl = Extension(
    "Zihintntl",
    version="1.0",
    standing="ratified",
    title="Non-temporal locality hints",
    requires=("I",),
)


@Zihintpause.instruction("0000 0001 0000 00000 000 00000 0001111", "pause")
def pause(hart):
    """The hart may run slower for a while: a fence with the predecessor set w and no successor."""
    relax(hart)


@Zihintntl.instruction("0000000 00010 00000 000 00000 0110011", "ntl.p1")
def ntl_p1(hart):
    """The next access has no locality in the innermost private cache."""


@Zihintntl.instruction("0000000 00011 00000 000 00000 0110011", "ntl.pall")
def ntl_pall(hart):
    """The next access has no locality in any private cache."""


@Zihintntl.instruction("0000000 00100 00000 000 00000 0110011", "ntl.s1")
def ntl_s1(hart):
    """The next access has no locality in the innermost shared cache."""


@Zihintntl.instruction("0000000 00101 00000 000 00000 0110011", "ntl.all")
def ntl_all(hart):
    """The next access has no locality in any cache."""
