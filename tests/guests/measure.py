"""What KVM costs on several harts: `python -m tests.guests.measure`. Figures, not assertions.

Nested boots (four virtual CPUs on two harts), how late a guest's timer is on one and on two harts,
both in turn with QEMU where it is installed, and the host's processor time for a shell that waits.
The Debian guest comes from the cache that the tests keep, or from `--guest FOLDER`, which
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
    """What the guest prints, run by the command line: start and compiled code's loading count."""
    command = [sys.executable, "-m", "rvplat", "run", "virt", str(software.firmware)]
    command += ["--kernel", str(software.kernel), "--initrd", str(software.initrd)]
    command += ["--append", software.append, "--harts", str(harts)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=180, check=True
    )
    return done.stdout.decode(errors="replace")


def sides() -> dict[str, Run]:
    """Who runs the guests, in turn."""
    found: dict[str, Run] = {"rvplat": on_a_process_of_rvplat}
    if qemu_version() is not None:
        found["QEMU"] = lambda software, harts: on_qemu(software, harts)[1]
    return found


def measure_boots(guest: DebianGuest, rounds: int) -> None:
    """Seconds of wall time and of the host's processors for a nested boot."""
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
    """Processor time of the processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def lines_of_lateness(output: str) -> Iterator[str]:
    """What the guest's monitor measured."""
    return (line for line in output.splitlines() if line.startswith("lateness: "))


def measure_lateness(guest: DebianGuest, rounds: int) -> None:
    """How late a guest's timer is: vmm/check_late.c."""
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
    """Processor time of the host for a shell that nobody types to."""
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
    parser.add_argument("what", nargs="*", help="of boots, lateness, idle; all if none is named")
    parser.add_argument("--guest", type=Path, help="a folder with the Debian guest")
    parser.add_argument("--rounds", type=int, default=5, help="nested boots of each")
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
