"""Debian's shell is booted once; commands are answered after a snapshot, here and in a process."""

import subprocess
import sys
from pathlib import Path

import pytest

from rvplat.guests.debian import FAST, DebianGuest
from rvplat.machine.machine import Machine

PROMPT = b"~ # "
ANSWER = """
import sys
from rvplat import Machine
with Machine.from_snapshot(sys.argv[1]) as machine:
    machine.start()
    machine.console.feed(b"echo $((6 * 7))\\n")
    machine.console.wait_for(b"\\n42\\r", timeout_s=60)
"""


@pytest.mark.timeout(300)
def test_a_booted_shell(debian_guest: DebianGuest, tmp_path: Path) -> None:
    guest, file = debian_guest, tmp_path / "shell.snap"
    with Machine.open("virt", guest.fw_jump, guest.kernel, guest.initrd, append=FAST) as machine:
        machine.start()
        machine.console.wait_for(PROMPT, timeout_s=240)
        machine.pause()
        snapshot = machine.save(file)
        for number in (3, 4):
            machine.load(snapshot)
            machine.start()
            machine.console.feed(b"echo $((%d * 7)) >> /note; cat /note\n" % number)
            said = machine.console.wait_for(b"\n%d\r" % (7 * number), timeout_s=60)
            assert b"\n21\r" not in said or number == 3, "the note of the first is gone"
            machine.pause()
    assert file.stat().st_size < 150_000_000
    subprocess.run([sys.executable, "-c", ANSWER, file], check=True)
