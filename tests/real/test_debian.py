"""Debian's unmodified kernel reaches user space, powers off, and writes to a disk permanently."""

from pathlib import Path

import pytest

from rvplat.guests.debian import DebianGuest
from rvplat.guests.disk import FORMAT_SCRIPT, blank_disk
from rvplat.machine.machine import Machine, Stop
from rvplat.machine.running.run import Runner
from tests.real.conftest import Terminal, boot

OFF = Stop("off", 0)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("firmware", "harts"), [("fw_jump", 1), ("fw_dynamic", 1), ("fw_dynamic", 2), ("fw_jump", 8)]
)
def test_reaches_user_space_and_powers_off(
    debian_guest: DebianGuest, firmware: str, harts: int
) -> None:
    stop, text = boot(debian_guest, "rvplat.run=poweroff", firmware, harts)
    assert f"rvplat: nproc {harts}\n" in text
    assert "rvplat: uname Linux" in text
    assert "reboot: Power down" in text
    assert stop == OFF


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mmu", ["sv39", "sv48"])
def test_it_boots_with_smaller_page_tables(debian_guest: DebianGuest, mmu: str) -> None:
    stop, text = boot(
        debian_guest, 'rvplat.run=script rvplat.script="grep mmu /proc/cpuinfo"',
        settings=[f'harts.mmu="{mmu}"'],
    )  # fmt: skip
    assert f": {mmu}\n" in text
    assert stop == OFF


@pytest.mark.timeout(600)
@pytest.mark.parametrize("legacy", ["true", "false"])
def test_a_disk_keeps_what_was_written(
    debian_guest: DebianGuest, tmp_path: Path, legacy: str
) -> None:
    """With both versions of the transport. Like QEMU's, `virt` has the legacy one by default."""
    image = tmp_path / "disk.img"
    blank_disk(image, 32 << 20)
    settings = [
        'devices.virtio0.model="virtio-blk"', f'devices.virtio0.image="{image}"',
        f"devices.virtio0.force_legacy={legacy}",
    ]  # fmt: skip
    write = f"{FORMAT_SCRIPT} && echo kept over a boot > /mnt/note && umount /mnt"
    stop, text = boot(debian_guest, f'rvplat.run=script rvplat.script="{write}"', settings=settings)
    assert "rvplat: script status 0" in text
    assert stop == OFF
    stop, text = boot(
        debian_guest, 'rvplat.run=script rvplat.script="cat /mnt/note"', settings=settings
    )
    assert "kept over a boot\n" in text
    assert stop == OFF


@pytest.mark.timeout(300)
def test_a_shell_runs_typed_commands(debian_guest: DebianGuest) -> None:
    answers = [(b"~ # ", b"echo $((6 * 7)) apples\n"), (b"~ # ", b"poweroff -f\n")]
    stop, text = boot(debian_guest, "rvplat.run=shell", answers=answers)
    assert "\n42 apples\n" in text
    assert stop == OFF


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("program", "kernel"), [("u_boot", None), ("fw_jump", "u_boot_smode")], ids=["m", "s"]
)
def test_u_boot_runs_a_typed_command(
    debian_guest: DebianGuest, program: str, kernel: str | None
) -> None:
    payload = getattr(debian_guest, kernel) if kernel else None
    with Machine.open("virt", getattr(debian_guest, program), payload) as machine:
        answers = [(b"Hit any key", b"\n"), (b"=> ", b"version\n"), (b"=> ", b"poweroff\n")]
        terminal = Terminal(machine, answers)
        stop = Runner(machine, timeout_s=120).run()
    assert terminal.text.count("U-Boot 20") >= 2
    assert stop == OFF
