"""Addresses and faults for the tests of two-stage translation."""

from __future__ import annotations

from tests.h.bench import (
    FETCH,
    LOAD,
    NOP,
    RAM,
    STORE,
    Bench,
    Trap,
)

VA, GPA, PA = 0x12_3456_7000 & (1 << 38) - 1, 0x56_789A_B000 & (1 << 38) - 1, RAM + 0x1_0000
OTHER = RAM + 0x1_1000
AT = 0x238  # an offset in a page
PAGE = {LOAD: 13, STORE: 15, FETCH: 12}
GUEST = {LOAD: 21, STORE: 23, FETCH: 20}
ACCESS = {LOAD: 5, STORE: 7, FETCH: 1}
KINDS = [LOAD, STORE, FETCH]
SCHEMES = [0, 8, 9, 10]
READ_ENTRY, WRITE_ENTRY = 0x3000, 0x3020
PBMTE, ADUE = 1 << 62, 1 << 61


def stages(bench: Bench, guest_mode: int = 8, host_mode: int = 8) -> None:
    """Map VA to GPA and GPA to PA, by the stages that are on, and fill the page with nops."""
    bench.two_stages(guest_mode, host_mode)
    for page in (PA, OTHER):
        for at in range(0, 0x1000, 8):
            bench.poke(page + at, NOP << 32 | NOP)
    if guest_mode:
        bench.map_guest(VA, GPA if host_mode else PA)
    if host_mode:
        bench.map_host(GPA, PA)


def start(guest_mode: int, host_mode: int) -> int:
    """The address that is translated to PA."""
    return VA if guest_mode else GPA if host_mode else PA


def cause(found: Trap | None) -> int | str:
    return "ok" if found is None else found.cause


def causes(bench: Bench, va: int, mode: str = "VS") -> tuple[int | str, ...]:
    bench.hart.x[7] = NOP << 32 | NOP
    return tuple(cause(bench.access(kind, va, mode)) for kind in KINDS)


OK = ("ok", "ok", "ok")
ALL_PAGE, ALL_GUEST, ALL_ACCESS = (13, 15, 12), (21, 23, 20), (5, 7, 1)


def marked(bad: tuple[int, ...], codes: tuple[int, ...]) -> tuple[int | str, ...]:
    """The causes of the accesses in `bad`; "ok" for the others."""
    return tuple(code if flag else "ok" for flag, code in zip(bad, codes, strict=True))
