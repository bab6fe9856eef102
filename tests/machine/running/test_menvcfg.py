"""The value of menvcfg after a reset follows the device tree and the board."""

from __future__ import annotations

import pytest

from rvplat import Machine
from rvplat.machine.open import open_board
from tests.machine.small_guests import POWER_OFF, guest

ADUE, PBMTE = 1 << 61, 1 << 62
BOTH = "rv64imac_zicsr_svade_svadu"

#: Without firmware: accesses through a leaf without A and D in S mode. Exit code 1 if it faults.
NO_A_NO_D = (
    """
  la t0, 9f
  csrw mtvec, t0
  li t0, -1
  csrw pmpaddr0, t0
  li t0, 0x1f
  csrw pmpcfg0, t0
  la t0, table
  li t1, 0x2000000f       # 0x80000000: V R W X
  sd t1, 16(t0)
  li t1, 0xf              # 0x0, the devices: V R W X
  sd t1, 0(t0)
  srli t0, t0, 12
  li t1, 8 << 60
  or t0, t0, t1
  csrw satp, t0
  li t0, 0x800
  csrs mstatus, t0
  la t0, 1f
  csrw mepc, t0
  mret
1:"""
    + POWER_OFF
    + """
.align 2
9: li t0, TEST
  li t1, 0x13333
  sw t1, 0(t0)
1: j 1b
.data
.align 12
table: .zero 4096
"""
)


@pytest.mark.parametrize(
    ("settings", "works"),
    [
        ({}, True),
        ({"harts.menvcfg": []}, False),
        ({"harts.isa": BOTH}, False),
        ({"harts.isa": BOTH, "harts.menvcfg": ["ADUE"]}, True),
        ({"harts.menvcfg": ["ADUE"], "harts.isa": BOTH}, True),
        ({"harts.isa": "rva23s64_svadu"}, False),
        ({"harts.isa": BOTH.replace("_svadu", "")}, False),
    ],
)
def test_page_tables_without_a_and_d(settings: dict[str, object], works: bool) -> None:
    """On `virt` hardware sets A and D from the start. An ISA string that replaces its own brings
    its own default: with only svadu in the device tree, hardware sets them too; with svade, only
    after software has enabled it (Linux,
    Documentation/devicetree/bindings/riscv/extensions.yaml)."""
    with Machine.open("virt", guest(NO_A_NO_D), settings=settings) as machine:
        for _ in range(2):
            stop = machine.run(timeout_s=60)
            assert (stop.reason, stop.code) == (("off", 0) if works else ("fail", 1))
            machine.reset()


@pytest.mark.parametrize(
    ("board", "value"), [("virt", ADUE | PBMTE), ("spike", PBMTE), ("minimal", 0)]
)
def test_of_the_shipped_boards(board: str, value: int) -> None:
    """QEMU's `virt` has both, Spike only PBMTE."""
    assert open_board(board)[0].each[0].menvcfg == value


def test_a_machine_has_it_from_the_start_and_henvcfg_has_not() -> None:
    with Machine.open("virt", guest(POWER_OFF)) as machine:
        hart = machine.harts[0]
        assert hart.csr("menvcfg") == ADUE | PBMTE
        assert hart.csr("henvcfg") == 0
        hart.set_csr("menvcfg", 0)
        machine.reset()
        assert hart.csr("menvcfg") == ADUE | PBMTE
