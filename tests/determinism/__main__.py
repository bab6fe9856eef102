"""Boots Debian with a virtual clock in different ways, and compares a hash of each run.

    python -m tests.determinism --harts 1 2 4 --runs 5 --load

The hash is of the registers of all harts at every round that begins a million instructions after
the last one, and of RAM, output, counters and time at the end. `--load` keeps the host's
processors busy in every second run. It also prints the time of each boot, and that of a boot with
the host's clock.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs

from rvplat import Machine
from rvplat.guests.debian import FAST, DebianGuest, fetch
from rvplat.machine.recordings import recorder

SPACING = 1_000_000
COUNTERS = ("mcycle", "minstret", "time", "mhpmcounter3")
Way = Callable[[Machine], Any]


def at_once(machine: Machine) -> None:
    """Nothing interrupts the run."""
    machine.run(timeout_s=600)


def in_pieces(machine: Machine) -> None:
    """The run stops all the time."""
    while machine.run(timeout_s=0.05).reason == "timeout":
        pass


def in_real_time(machine: Machine) -> None:
    """In the background; the guest waits in real time."""
    machine.start()
    machine.wait(600)


def profiled(machine: Machine) -> None:
    """With a profile."""
    machine.run(timeout_s=600, profile="/dev/null")


WAYS: list[tuple[Way, str]] = [
    (at_once, "hot"), (at_once, "off"), (in_pieces, "hot"), (in_real_time, "hot"),
    (profiled, "off"),
]  # fmt: skip


def burn() -> None:
    """Keep a processor busy."""
    while True:
        hashlib.sha256(bytes(1 << 20)).digest()


def boot(
    guest: DebianGuest, harts: int, way: Way, settings: dict[str, object], nested: bool
) -> tuple[str, float]:
    """Boot, and return the hash and the processor time in seconds."""
    initrd = guest.kvm_initrd if nested else guest.initrd
    what = "rvplat.run=nested" if nested else "rvplat.run=poweroff"
    with Machine.open(
        "virt", guest.fw_jump, guest.kernel, initrd, f"{FAST} {what}",
        settings=settings, harts=harts,
    ) as machine:  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording"
            is_virtual = settings["clock"] == "virtual"
            if is_virtual:
                machine.record(path)
            began = time.process_time()
            way(machine)
            spent = time.process_time() - began
            found = hashlib.sha256()
            if is_virtual:
                lines = path.read_bytes().splitlines()[1:]
                # stops between the runs are not the guest's
                found.update(b"\n".join(one for one in lines if b'"end"' not in one))
        found.update(repr(recorder.end_of(machine)).encode())
        for hart in machine.harts:
            found.update(repr([hart.csr(name) for name in COUNTERS]).encode())
    return found.hexdigest()[:16], spent


def main() -> int:
    """Run the boots. The exit status is 1 if a hash differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.determinism", description=__doc__)
    parser.add_argument("--harts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--runs", type=int, default=5, help="boots for each number of harts")
    parser.add_argument("--load", action="store_true", help="busy processors in every second run")
    parser.add_argument("--nested", action="store_true", help="boot the kernel in KVM as well")
    given = parser.parse_args()
    recorder.SPACING = SPACING
    guest = fetch(Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian", kvm=True)
    status = 0
    for harts in given.harts:
        _, host_s = boot(guest, harts, at_once, {"clock": "host"}, given.nested)
        print(f"{harts} harts, the host's clock: {host_s:.2f} s of processors", flush=True)
        hashes = set()
        for number in range(given.runs):
            way, regions = WAYS[number % len(WAYS)]
            loads = [multiprocessing.Process(target=burn, daemon=True) for _ in range(2)]
            for one in loads if given.load and number % 2 else []:
                one.start()
            settings: dict[str, object] = {"clock": "virtual", "harts.regions": regions}
            found, spent = boot(guest, harts, way, settings, given.nested)
            for one in loads if given.load and number % 2 else []:
                one.kill()
            hashes.add(found)
            print(f"  {found} {way.__name__}, regions {regions}: {spent:.2f} s", flush=True)
        status |= int(len(hashes) > 1)
        print(f"{harts} harts: {len(hashes)} hash{'es' * (len(hashes) > 1)}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
