"""Programs that end and print through `tohost`: by one store, by two halves, by one half."""

from __future__ import annotations

import pytest

from rvplat import Machine
from tests.machine.small_guests import guest

WORDS = """
.section .tohost,"aw",@progbits
.align 6
.globl tohost
tohost: .dword 0
.align 6
.globl fromhost
fromhost: .dword 0
.align 6
counter: .dword 0
"""
#: Prints a text by pairs of 32-bit stores, with many instructions between the two of a pair.
PRINT = """
  la s0, tohost
  la s1, text
  li s2, 0x1010000
1: lbu a0, 0(s1)
  beqz a0, 3f
  {first}
  li t0, 200000
2: addi t0, t0, -1
  bnez t0, 2b
  {second}
  addi s1, s1, 1
  j 1b
3: li a0, {exit}
  sd a0, 0(s0)
4: j 4b
text: .asciz "aceg is odd"
"""
LOW, HIGH = "sw a0, 0(s0)", "sw s2, 4(s0)"
CLOCKS = [{}, {"clock": "virtual"}, {"harts.count": 2}]


def run(source: str, settings: dict[str, object]) -> tuple[str, int, bytes]:
    """The reason and code of a program's end, and its output. Other harts wait."""
    start = "  csrr t0, mhartid\n  beqz t0, 2f\n1: wfi\n  j 1b\n2:\n"
    with Machine.open("spike", guest(start + source + WORDS), settings=settings) as machine:
        stop = machine.run(timeout_s=20)
        return stop.reason, stop.code, machine.console.output


@pytest.mark.parametrize("settings", CLOCKS)
@pytest.mark.parametrize(("first", "second"), [(LOW, HIGH), (HIGH, LOW)])
def test_characters_by_halves(first: str, second: str, settings: dict[str, object]) -> None:
    """The lower half of an odd character counted as an exit code after 100 us."""
    source = PRINT.format(first=first, second=second, exit=7 << 1 | 1)
    assert run(source, settings) == ("off", 7, b"aceg is odd")


EXITS = {
    "riscv-tests": "  la s0, tohost\n  li a0, 85\n1: sw a0, 0(s0)\n  sw zero, 4(s0)\n  j 1b\n",
    "riscv-arch-test": "  la s0, tohost\n  li a0, 85\n1: sw a0, 0(s0)\n  j 1b\n",
    "once and spin": "  la s0, tohost\n  li a0, 85\n  sw a0, 0(s0)\n1: j 1b\n",
    "once and wait": "  la s0, tohost\n  li a0, 85\n  sw a0, 0(s0)\n1: wfi\n  j 1b\n",
    "amoswap.d": "  la s0, tohost\n  li a0, 85\n  amoswap.d zero, a0, (s0)\n1: j 1b\n",
    "amoor.w twice": (
        "  la s0, tohost\n  li a0, 85\n  amoor.w zero, a0, (s0)\n  addi s0, s0, 4\n"
        "  amoor.w zero, zero, (s0)\n1: j 1b\n"
    ),
    "sc.d": (
        "  la s0, tohost\n  li a0, 85\n1: lr.d a1, (s0)\n  sc.d a1, a0, (s0)\n  bnez a1, 1b\n"
        "1: j 1b\n"
    ),
    "cbo.zero clears fromhost": (  # for the second response
        "  la s0, tohost\n  la s1, fromhost\n  li a0, 0x1ff000000000000\n  sd a0, 0(s0)\n"
        "  sd a0, 0(s0)\n1: ld a1, 0(s1)\n  beqz a1, 1b\n"
        "  .insn i 0x0f, 2, x0, 4(s1)\n"  # cbo.zero
        "1: ld a1, 0(s1)\n  beqz a1, 1b\n  li a0, 85\n  sd a0, 0(s0)\n1: j 1b\n"
    ),
    "by a byte": "  la s0, tohost\n  li a0, 85\n  sb a0, 0(s0)\n1: j 1b\n",
}


@pytest.mark.parametrize("settings", CLOCKS)
@pytest.mark.parametrize("how", EXITS)
def test_exits(how: str, settings: dict[str, object]) -> None:
    assert run(EXITS[how], settings)[:2] == ("off", 42)


MISALIGNED = {
    "across a page": (
        "  la s0, tohost\n  li a0, 85\n  slli a0, a0, 32\n  sd a0, -4(s0)\n"
        "  sw zero, 4(s0)\n1: j 1b\n"
    ),
    "in a page": "  la s0, tohost\n  li a0, 85\n  sb a0, 0(s0)\n  sd zero, 1(s0)\n1: j 1b\n",
}


@pytest.mark.parametrize("how", MISALIGNED)
def test_a_misaligned_store_reaches_the_device(how: str) -> None:
    settings: dict[str, object] = {"harts.isa": "rv64imac_zicsr_zicclsm"}
    assert run(MISALIGNED[how], settings)[:2] == ("off", 42)


def test_a_debuggers_store_reaches_the_device() -> None:
    with Machine.open("spike", guest("1: j 1b\n" + WORDS)) as machine:
        machine.memory.write_int(machine.symbols["tohost"], 8, 7 << 1 | 1)
        assert [(stop.reason, stop.code) for stop in machine.requests] == [("off", 7)]
