"""Whatever endless loop a guest is in, another thread can stop the machine, and a limit of
instructions ends the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from rvplat.machine.machine import Machine
from rvplat.machine.running.hart import Hart
from tests.fuzz import guest
from tests.fuzz.image import BASE, LEAF, ONES, PAGE, Image, U, V, pte
from tests.fuzz.words import word

CODE = BASE + PAGE
ROOT = BASE + 0x4000  # 16 KiB
NOWHERE = 0x4000_0000
MSTATUS_MIE, MSIE = 1 << 3, 1 << 3
BACK = word("jal", rd=0, imm=-4)
ISA = f"rv64imafdch_{guest.H}_{guest.MORE}"

Prepare = Callable[[Hart], None]


def nothing(hart: Hart) -> None:
    """Leave the hart in M mode."""


def world(priv: int, virt: int) -> Prepare:
    """Put the hart into a mode that handles its own traps, with a handler that isn't mapped."""

    def prepare(hart: Hart) -> None:
        for name in ("medeleg", "mideleg", "hedeleg", "hideleg"):
            hart.set_csr(name, ONES)
        for name in ("mtvec", "stvec", "vstvec"):
            hart.set_csr(name, NOWHERE)
        guest.open_memory(hart)
        hart.view.virt = virt
        hart.priv = priv

    return prepare


def loops(entry: int, register: str) -> Prepare:
    """Put the hart into VS mode, with a root table full of `entry`."""

    def prepare(hart: Hart) -> None:
        data = entry.to_bytes(8, "little") * (4 * PAGE // 8)
        hart._owner.memory.write(ROOT, data)
        hart.set_csr("menvcfg", ONES)
        hart.set_csr("henvcfg", ONES)
        hart.set_csr(register, 10 << 60 | ROOT >> 12)
        world(1, 1)(hart)

    return prepare


def interrupted(hart: Hart) -> None:
    """Make a software interrupt pending that is never cleared, and whose handler just returns."""
    hart.set_csr("mtvec", CODE)
    hart.set_csr("mie", MSIE)
    hart.set_csr("mstatus", MSTATUS_MIE | 3 << 11)
    owner: Any = hart._owner
    owner.bus.write(0x200_0000 + 4 * hart.number, 4, 1)


ILLEGAL = bytes(4)
GUESTS: dict[str, tuple[bytes, Prepare]] = {
    "a jump to itself": (word("jal", rd=0, imm=0), nothing),
    "wfi": (word("wfi") + BACK, nothing),
    "wrs.nto": (word("wrs.nto") + BACK, nothing),
    "fence.i": (word("fence.i") + BACK, nothing),
    "a device": (
        word("lui", rd=5, imm=0x1000_0000) + word("lbu", rd=6, rs1=5, imm=5) + BACK, nothing,
    ),
    "code that writes itself": (
        word("auipc", rd=5, imm=0) + word("lw", rd=6, rs1=5, imm=8)
        + word("sw", rs1=5, rs2=6, imm=8) + word("jal", rd=0, imm=-8),
        nothing,
    ),
    "resets": (
        word("lui", rd=5, imm=0x10_0000) + word("lui", rd=6, imm=0x7000)
        + word("addi", rd=6, rs1=6, imm=0x777) + word("sw", rs1=5, rs2=6),
        nothing,
    ),
    "traps in M mode": (ILLEGAL, world(3, 0)),
    "traps in HS mode": (ILLEGAL, world(1, 0)),
    "traps in VS mode": (ILLEGAL, world(1, 1)),
    "traps in VU mode": (ILLEGAL, world(0, 1)),
    "interrupts": (word("mret"), interrupted),
    "a first stage that loops": (ILLEGAL, loops(pte(ROOT, V), "vsatp")),
    "a second stage that loops": (ILLEGAL, loops(pte(ROOT, V), "hgatp")),
    "tables in devices": (ILLEGAL, loops(pte(0x1000_0000, V), "vsatp")),
    "tables outside memory": (ILLEGAL, loops(pte(1 << 55, V), "hgatp")),
    "a table that maps itself": (ILLEGAL, loops(pte(0, LEAF & 0xF | U), "hgatp")),
}  # fmt: skip


def machine(name: str, harts: int, clock: str) -> Machine:
    code, prepare = GUESTS[name]
    data = bytearray(2 * PAGE)
    data[: len(code)] = data[PAGE : PAGE + len(code)] = code
    made = guest.machine(
        {"memory": "4M", "harts.count": harts, "clock": clock, "harts.isa": ISA},
        Image(data, [], []),
    )
    for hart in made.harts:
        hart.pc = CODE
        prepare(hart)
    return made


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("harts", "clock"), [(1, "host"), (2, "host"), (2, "virtual")])
@pytest.mark.parametrize("name", GUESTS)
def test_a_pause_stops_it(name: str, harts: int, clock: str) -> None:
    with machine(name, harts, clock) as made:
        for _ in range(3):
            made.start()
            time.sleep(0.01)
            assert made.pause().reason == "pause"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("clock", ["host", "virtual"])
@pytest.mark.parametrize("name", GUESTS)
def test_a_limit_ends_it(name: str, clock: str) -> None:
    with machine(name, 1, clock) as made:
        stop = made.run(max_instructions=1000 if name == "resets" else 100_000)
        assert stop.reason == ("idle" if name == "wfi" else "limit")
