"""Images of RAM under harts: what harts derived from RAM follows a restored image."""

from __future__ import annotations

import pytest

from rvplat import Machine
from tests.machine.small_guests import guest

#: Counts in a3 with an instruction that it changes, and in `counter`; a mark in a2 says where.
CHANGES_ITSELF = """
  la a0, counter
  la a1, patched
  li a2, 0
  li a5, 0x00168693  # addi a3, a3, 1
1: ld t0, (a0)
  addi t0, t0, 1
  sd t0, (a0)
  sw a5, (a1)
  fence.i
patched: nop
  bnez a6, 2f
  j 1b
2: li a5, 0x00268693  # addi a3, a3, 2
  li a6, 0
  j 1b
.data
.balign 4096
counter: .dword 0
"""


def registers(machine: Machine) -> tuple[int, ...]:
    hart = machine.harts[0]
    return (hart.pc, *hart.x)


@pytest.mark.parametrize("regions", ["off", "all"])
def test_code_that_was_changed_is_that_of_the_image_again(regions: str) -> None:
    with Machine.open(
        "virt", guest(CHANGES_ITSELF), settings={"harts.regions": regions}
    ) as machine:
        hart = machine.harts[0]
        machine.run(max_instructions=1000)
        image, kept = machine.memory.capture(), registers(machine)
        machine.run(max_instructions=1000)
        first = registers(machine), machine.memory.read(hart.x["a0"], 8)
        hart.x["a6"] = 1
        machine.run(max_instructions=1000)
        for _ in range(3):
            machine.memory.restore(image)
            hart.pc = kept[0]
            for n in range(1, 32):
                hart.x[n] = kept[1 + n]
            machine.run(max_instructions=1000)
            assert (registers(machine), machine.memory.read(hart.x["a0"], 8)) == first
            hart.x["a6"] = 1
            machine.run(max_instructions=1000)
