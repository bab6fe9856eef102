"""Regions and debuggers where addresses have masked bits."""

from __future__ import annotations

import pytest

from rvplat.machine.open import open_board
from tests.machine.regions.covered_programs import DOWN, ROUNDS, UNROLLED, WAYS
from tests.machine.regions.forced import machine_of, same_in_regions
from tests.machine.small_guests import POWER_OFF

ISA = open_board("virt")[0].harts.isa + "_smmpm"
MASK_7 = """
  li t0, 2
  slli t0, t0, 32
  csrw 0x747, t0   # mseccfg.PMM
"""
#: Tags that depend on the round, in the seven masked bits of both pointers; and their removal.
TAG = "\n  slli a4, s0, 57\n  add a0, a0, a4\n  slli a4, s0, 60\n  add a1, a1, a4\n"
UNTAG = "".join(f"\n  slli {r}, {r}, 7\n  srli {r}, {r}, 7\n" for r in ("a0", "a1"))


@pytest.mark.parametrize("loop", [UNROLLED, DOWN, WAYS], ids=["unrolled", "down", "ways"])
def test_loops_with_tagged_pointers_do_what_they_do_without_tags(loop: str) -> None:
    plain = ROUNDS.replace("LOOP", loop)
    before, label, rest = loop.partition("1:")
    tagged = ROUNDS.replace("LOOP", before + TAG + label + rest + UNTAG)
    tagged = tagged.replace(".option norvc", ".option norvc" + MASK_7)
    settings: dict[str, object] = {"harts.isa": ISA}
    found = same_in_regions(tagged, None, **settings)
    assert found.x[0][9] == same_in_regions(plain, None, **settings).x[0][9], "the sum in s1"
    assert found.x[0][18] == 0, "there was no trap"


def test_a_watchpoint_is_met_by_a_tagged_pointer() -> None:
    program = MASK_7 + "  la a0, word\n  li a1, 0x35\n  slli a1, a1, 57\n  or a0, a0, a1\n" + (
        "  ld t1, 0(a0)\nstore:\n  sd a1, 0(a0)\n" + POWER_OFF + "\n.data\n.balign 8\n"
        ".globl word\nword: .dword 5\n"
    )  # fmt: skip
    with machine_of(program, "off", **{"harts.isa": ISA}) as machine:
        at = machine.symbols["word"]
        machine.watchpoints.add("word")
        stop = machine.run(timeout_s=60)
        assert (stop.reason, stop.address, stop.access) == ("watch", at, "write")
        assert machine.harts[0].pc == machine.symbols["store"]
        tagged = int(machine.harts[0].x[10])
        assert tagged != at
        assert machine.harts[0].read(tagged, 8) == (5).to_bytes(8, "little")
        assert machine.run(timeout_s=60).reason == "off"
        assert machine.memory.read_int(at, 8) == 0x35 << 57
