"""The fetched Debian guest boots on QEMU, so a failure on rvplat afterwards is rvplat's fault."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rvplat.guests.bench import QEMU, qemu_version
from rvplat.guests.debian import FAST, DebianGuest
from rvplat.guests.disk import FORMAT_SCRIPT, blank_disk, ext4_disk, mkfs_ext4

pytestmark = pytest.mark.skipif(qemu_version() is None, reason="no QEMU on this machine")


def _boot(guest: DebianGuest, firmware: Path, append: str, *options: str) -> str:
    command = [QEMU, "-M", "virt", "-m", "512M", "-display", "none", "-monitor", "none"]
    command += ["-serial", "stdio", "-bios", str(firmware), "-kernel", str(guest.kernel)]
    command += ["-initrd", str(guest.initrd), "-append", append, *options]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def _with_disk(disk: Path) -> tuple[str, ...]:
    drive = f"if=none,id=disk,format=raw,file={disk}"
    return ("-drive", drive, "-device", "virtio-blk-device,drive=disk")


@pytest.mark.parametrize(("firmware", "harts"), [("fw_jump", 1), ("fw_dynamic", 2)])
def test_boots_counts_its_harts_and_powers_off(
    debian_guest: DebianGuest, firmware: str, harts: int
) -> None:
    path = getattr(debian_guest, firmware)
    output = _boot(debian_guest, path, f"{FAST} rvplat.run=poweroff", "-smp", str(harts))
    assert f"rvplat: nproc {harts}\n" in output.replace("\r", "")
    assert "rvplat: uname Linux " in output


@pytest.mark.skipif(mkfs_ext4() is None, reason="no mkfs.ext4 on this machine")
def test_disk_keeps_what_the_first_boot_wrote(debian_guest: DebianGuest, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    ext4_disk(disk, 16 << 20, {"hello": b"made on the host\n"})
    script = f'{FAST} rvplat.run=script rvplat.script="cat /mnt/*; echo again > /mnt/second"'
    first = _boot(debian_guest, debian_guest.fw_jump, script, *_with_disk(disk))
    second = _boot(debian_guest, debian_guest.fw_jump, script, *_with_disk(disk))
    assert "made on the host" in first
    assert "again" not in first
    assert "again" in second


def test_guest_formats_a_blank_disk(debian_guest: DebianGuest, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    blank_disk(disk, 16 << 20)
    again = "umount /mnt && mount -t ext4 /dev/vda /mnt && cat /mnt/x"
    commands = f"{FORMAT_SCRIPT} && echo kept > /mnt/x && {again}"
    script = f'{FAST} rvplat.run=script rvplat.script="{commands}"'
    output = _boot(debian_guest, debian_guest.fw_jump, script, *_with_disk(disk))
    assert "kept" in output
    assert "script status 0" in output
