"""Measures KVM on several harts: `python -m tests.guests.measure`. It prints figures only.

It measures nested boots (four virtual CPUs on two harts) and the delay of a guest's timer on one
and on two harts, both in turn with QEMU if that is installed, and the processor time of an idle
shell. The Debian guest is the one in the tests' cache, or that of `--guest FOLDER`, which
`rvplat guest debian FOLDER --kvm` has made.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from rvplat.guests.bench import qemu_version
from rvplat.guests.debian import FAST, DebianGuest, fetch
from rvplat.machine.machine import Machine

from .h_machines import Software, on_qemu

VCPUS, HARTS = 4, 2
WATCHED_S = 10
Run = Callable[[Software, int], str]


def on_a_process_of_rvplat(software: Software, harts: int) -> str:
    """Run a guest with the command `rvplat`, whose start is measured too; return its output."""
    command = [sys.executable, "-m", "rvplat", "run", "virt", str(software.firmware)]
    command += ["--kernel", str(software.kernel), "--initrd", str(software.initrd)]
    command += ["--append", software.append, "--harts", str(harts)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=180, check=True
    )
    return done.stdout.decode(errors="replace")


def sides() -> dict[str, Run]:
    """The simulators that run the guests, in turn."""
    found: dict[str, Run] = {"rvplat": on_a_process_of_rvplat}
    if qemu_version() is not None:
        found["QEMU"] = lambda software, harts: on_qemu(software, harts)[1]
    return found


def measure_boots(guest: DebianGuest, rounds: int) -> None:
    """Measure the wall time and the processor time of a nested boot, in seconds."""
    append = f"quiet rvplat.run=nested rvplat.vcpus={VCPUS}"
    software = Software(guest.fw_jump, guest.kernel, guest.kvm_initrd, append)
    print(f"nested boots, {VCPUS} virtual CPUs on {HARTS} harts, seconds (of processors):")
    took: dict[str, list[float]] = {name: [] for name in sides()}
    for _ in range(rounds):
        for name, run in sides().items():
            began, spent = time.monotonic(), children_s()
            output = run(software, HARTS)
            took[name].append(time.monotonic() - began)
            print(f"  {name:<7}{took[name][-1]:7.2f} ({children_s() - spent:.2f})", flush=True)
            assert "rvplat: kvm status 0" in output, output
    medians = {name: statistics.median(times) for name, times in took.items()}
    print("  medians", ", ".join(f"{name} {median:.2f}" for name, median in medians.items()))
    if "QEMU" in medians:
        print(f"  rvplat to QEMU: {medians['rvplat'] / medians['QEMU']:.2f}")


def children_s() -> float:
    """The processor time of all child processes that have ended, in seconds."""
    times = os.times()
    return times.children_user + times.children_system


def lines_of_lateness(output: str) -> Iterator[str]:
    """The lines with which the VMM reports the delay of timers."""
    return (line for line in output.splitlines() if line.startswith("lateness: "))


def measure_lateness(guest: DebianGuest, rounds: int) -> None:
    """Measure how late a guest's timer is: vmm/check_late.c."""
    script = '"/kvm/vmm check lateness"'
    append = f"{FAST} rvplat.modules=kvm rvplat.run=script rvplat.script={script}"
    software = Software(guest.fw_jump, guest.kernel, guest.kvm_initrd, append)
    for harts in (1, HARTS):
        for _ in range(rounds):
            for name, run in sides().items():
                print(f"{name}, {harts} hart{'s' if harts > 1 else ''}:")
                for line in lines_of_lateness(run(software, harts)):
                    print(f"  {line.strip()}", flush=True)


def measure_idle(guest: DebianGuest) -> None:
    """Measure the processor time of the host while a guest's shell waits for input."""
    for harts in (1, HARTS):
        with Machine.open(
            "virt", guest.fw_jump, guest.kernel, guest.initrd, "quiet",
            settings={"harts.count": harts},
        ) as machine:  # fmt: skip
            machine.start()
            machine.console.wait_for(b"~ # ", timeout_s=120)
            time.sleep(1)
            before = time.process_time()
            time.sleep(WATCHED_S)
            share = (time.process_time() - before) / WATCHED_S
            print(f"a shell that waits, {harts} harts: {share:.2%} of a processor", flush=True)
            machine.pause()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.guests.measure", description=__doc__)
    parser.add_argument("what", nargs="*", help="boots, lateness or idle (default: all)")
    parser.add_argument("--guest", type=Path, help="a folder with the Debian guest")
    parser.add_argument("--rounds", type=int, default=5, help="nested boots on each simulator")
    given = parser.parse_args()
    kept = Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian"
    guest = fetch(given.guest or kept, kvm=True)
    what = given.what or ["boots", "lateness", "idle"]
    if "boots" in what:
        measure_boots(guest, given.rounds)
    if "lateness" in what:
        measure_lateness(guest, max(1, given.rounds // 5))
    if "idle" in what:
        measure_idle(guest)


if __name__ == "__main__":
    main()
