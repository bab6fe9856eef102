"""Debian's OpenSBI on harts that differ and have triggers: it probes them."""

from __future__ import annotations

import re

from rvplat import Machine
from rvplat.guests.debian import DebianGuest

ISA = "rv64imafdch_zicsr_zifencei_zicntr_zihpm_sstc_smstateen_sdtrig"


def test_it_finds_what_each_hart_has(debian_guest: DebianGuest) -> None:
    """OpenSBI, lib/sbi/sbi_dbtr.c and sbi_hart.c; its SBI extension of triggers needs Sdtrig."""
    settings = {
        "harts.isa": ISA, "harts.count": 2, "harts.pmp_entries": 8,
        "harts.1.isa": "rv64imafdc_zicsr_zifencei_zicntr_zihpm", "harts.1.pmp_entries": 5,
    }  # fmt: skip
    with Machine.open("virt", program=debian_guest.fw_jump, settings=settings) as machine:
        machine.start()
        machine.console.wait_for("Boot HART MEDELEG", timeout_s=120)
        machine.pause()
        text = machine.console.output.decode()
    found = dict(re.findall(r"^(.*\S) +: (.*\S)\s*$", text, re.MULTILINE))
    assert found["Platform HART Count"] == "2"
    assert found["Domain0 HARTs"] == "0*,1*"
    hart = found["Boot HART ID"]
    assert found["Boot HART PMP Count"] == ("8", "5")[int(hart)]
    if hart == "0":
        assert found["Boot HART Debug Triggers"] == "4 triggers"
        assert "dbtr" in found["Experimental SBI Extensions"]
    else:
        assert found["Boot HART Debug Triggers"] == "0 triggers"
