"""Linux's perf events on harts with Sscofpmf, through OpenSBI's PMU extension."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.guests.cpio import CpioArchive
from rvplat.guests.debian import FAST, DebianGuest
from tests.guests.linux_programs import linux_program

LOOPS = 10_000_000


@pytest.fixture(scope="module")
def initrd(debian_guest: DebianGuest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's initramfs with the program `sample` in its root."""
    folder = tmp_path_factory.mktemp("perf")
    added = CpioArchive()
    added.file("sample", linux_program(folder, ["sample.c"], "-O1"), 0o755)
    found = folder / "initrd"
    found.write_bytes(debian_guest.initrd.read_bytes() + added.dump())
    return found


@pytest.mark.parametrize("isa", ["rva23s64", "rva22s64_sscofpmf_sstc_smcntrpmf_smcdeleg"])
def test_a_program_samples_itself(debian_guest: DebianGuest, initrd: Path, isa: str) -> None:
    """A million instructions a sample, all of them in its loop, which has six instructions."""
    output = bytearray()
    with Machine.open(
        program=debian_guest.fw_jump, kernel=debian_guest.kernel, initrd=initrd,
        append=f"console=ttyS0 {FAST} rvplat.run=script rvplat.script=/sample",
        settings={"harts.isa": isa},
    ) as machine:  # fmt: skip
        machine.console.sinks.append(output.extend)
        assert machine.run(timeout_s=300).reason == "off"
    text = output.decode(errors="replace")
    found = re.search(r"sampled: (\d+) instructions, (\d+) cycles, (\d+) samples, (\d+) in", text)
    assert found is not None, text[-2000:]
    instructions, cycles, samples, inside = map(int, found.groups())
    assert 5 * LOOPS <= instructions <= 7 * LOOPS
    assert abs(cycles - instructions) < 100_000
    assert abs(samples - instructions // 1_000_000) <= 1
    assert inside >= samples - 2
