"""Instructions of plugins are in regions like any other."""

from __future__ import annotations

from pathlib import Path

import rvplat_plugins.examples

from tests.machine.regions.forced import in_region, machine_of, run_to_end
from tests.machine.small_guests import POWER_OFF

XMIX = Path(rvplat_plugins.examples.__file__).parent / "xmix.py"
ISA = {"harts.isa": "rv64imac_zicsr_xmix", "harts.allow_draft": True}
MIXES = (
    """
.option norvc
  li t0, 12345
  csrw 0x800, t0          # mixkey
  li s0, 50000
  li s1, 1
1: addi s2, s0, 7
mixed: .insn r 0x0b, 0, 0, s1, s1, s2
  addi s0, s0, -1
  bnez s0, 1b
"""
    + POWER_OFF
)


def test_a_plugins_instruction() -> None:
    ends = {}
    for mode in ("off", "all"):
        with machine_of(MIXES, mode, XMIX, **ISA) as machine:
            ends[mode] = run_to_end(machine)
            assert in_region(machine, "mixed") == (mode == "all")
    assert ends["off"] == ends["all"]
    assert ends["off"].x[0][9] not in (0, 1)
