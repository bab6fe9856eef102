"""OpenSBI and Debian's kernel on a hart with landing pads, shadow stacks and double traps."""

from __future__ import annotations

from rvplat import Machine
from rvplat.guests.debian import FAST, DebianGuest

ISA = "rva23s64_zicfilp_zicfiss_ssdbltrp_smdbltrp"
#: What OpenSBI 1.6 knows of them. The kernel (6.12) knows none, but Zimop and Zcmop beneath.
BY_OPENSBI = ("zicfilp", "zicfiss", "ssdbltrp")


def test_it_boots_and_says_what_it_knows(debian_guest: DebianGuest) -> None:
    output = bytearray()
    with Machine.open(
        program=debian_guest.fw_jump, kernel=debian_guest.kernel, initrd=debian_guest.initrd,
        append=f'console=ttyS0 {FAST} rvplat.run=script rvplat.script="cat /proc/cpuinfo"',
        settings={"harts.isa": ISA},
    ) as machine:  # fmt: skip
        machine.console.sinks.append(output.extend)
        assert machine.run(timeout_s=300).reason == "off"
        assert machine.harts[0].csr("mstatus.MDT") == 0, "OpenSBI has cleared it"
    lines = output.decode(errors="replace").replace("\r", "").splitlines()
    [found] = [line for line in lines if line.startswith("Boot HART ISA Extensions")]
    assert set(BY_OPENSBI) <= set(found.partition(": ")[2].split(","))
    [isa] = [line for line in lines if line.startswith("isa\t")]
    assert {"zimop", "zcmop"} <= set(isa.split("_"))
