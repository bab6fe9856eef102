"""Machines with the H extension to run guests on: QEMU where it is installed, and rvplat."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from rvplat.guests.bench import QEMU, qemu_version
from rvplat.machine.machine import Machine

LETTERS = "rv64imafdch"
FURTHER = (
    "zicbom", "zicbop", "zicboz", "zicond", "zicntr", "zicsr", "zifencei", "zihintntl",
    "zihintpause", "zihpm", "zawrs", "zfa", "zba", "zbb", "zbc", "zbs", "sstc", "svadu",
    "svinval", "svnapot", "svpbmt",
)  # fmt: skip

needs_qemu = pytest.mark.skipif(qemu_version() is None, reason="no QEMU on this machine")


@dataclass(frozen=True)
class Software:
    """The software of a run: a firmware, and perhaps a kernel."""

    firmware: Path
    kernel: Path | None = None
    initrd: Path | None = None
    append: str = ""


def isa(*without: str) -> str:
    """The ISA string of a hart with H and the extensions of FURTHER, except these."""
    return "_".join([LETTERS, *(name for name in FURTHER if name not in without)])


def on_qemu(software: Software, harts: int = 1, cpu: str = "rv64,h=true") -> tuple[int, str]:
    """Run on QEMU; return the status with which the guest powered off, and its output."""
    command = [QEMU, "-M", "virt", "-cpu", cpu, "-m", "1G", "-smp", str(harts), "-nographic"]
    command += ["-bios", str(software.firmware)]
    if software.kernel:
        command += ["-kernel", str(software.kernel), "-initrd", str(software.initrd)]
        command += ["-append", software.append]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=180)
    return result.returncode, _text(result.stdout)


def _text(output: bytes) -> str:
    """The output without carriage returns, which drivers of terminals insert."""
    return output.decode(errors="replace").replace("\r", "")


def on_rvplat(
    software: Software, clock: str = "host", **settings: object
) -> tuple[int, str]:  # fmt: skip
    """The same on the board `virt`; `settings` are keys of its `harts`."""
    harts = {f"harts.{key}": value for key, value in {"isa": isa(), **settings}.items()}
    changes = {"clock": clock, **harts}
    output = bytearray()
    with Machine.open(
        "virt", program=software.firmware, kernel=software.kernel, initrd=software.initrd,
        append=software.append or None, settings=changes,
    ) as machine:  # fmt: skip
        machine.console.sinks.append(output.extend)
        stop = machine.run(timeout_s=180)
    text = _text(bytes(output))
    assert stop.reason in ("off", "fail"), f"{stop}\n{text}"
    return stop.code, text
