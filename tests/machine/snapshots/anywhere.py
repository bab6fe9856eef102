"""Debian from boot to power-off on the virtual clock, saved at random places. Each snapshot leads
to the same end, in memory, in a file and without regions.

    python -m tests.machine.snapshots.anywhere --harts 2 --places 8 --seed 1
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

import platformdirs

from rvplat import Machine
from rvplat.guests.debian import FAST, DebianGuest, fetch
from tests.machine.snapshots.states import differences, state_of

BOOT = 200_000_000  # instructions of the first hart, roughly
TIMEOUT_S = 600


def opened(guest: DebianGuest, harts: int, regions: str) -> Machine:
    return Machine.open(
        "virt", guest.fw_jump, guest.kernel, guest.initrd, append=f"{FAST} rvplat.run=poweroff",
        harts=harts, settings={"clock": "virtual", "harts.regions": regions},
    )  # fmt: skip


def end_of(machine: Machine, wanted: dict[str, object] | None, what: str) -> dict[str, object]:
    stop = machine.run(timeout_s=TIMEOUT_S)
    found = state_of(machine)
    differ = differences(wanted, found) if wanted is not None else []
    print(f"{what}: {stop}, {'differs in ' + ', '.join(differ) if differ else 'the same'}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harts", type=int, default=1)
    parser.add_argument("--places", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    numbers = random.Random(arguments.seed)
    guest = fetch(Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian")
    with tempfile.TemporaryDirectory() as folder, opened(guest, arguments.harts, "hot") as machine:
        file = Path(folder) / "last.snap"
        snapshots = []
        for _ in range(arguments.places):
            machine.run(max_instructions=numbers.randrange(1, 2 * BOOT // arguments.places))
            snapshots.append(machine.save(file))
        wanted = end_of(machine, None, "boot")
        for number in numbers.sample(range(len(snapshots)), len(snapshots)):
            machine.load(snapshots[number])
            end_of(machine, wanted, f"snapshot {number}")
        with opened(guest, arguments.harts, "off") as other:
            other.load(snapshots[0])
            end_of(other, wanted, "snapshot 0 without regions")
        with Machine.from_snapshot(file) as other:
            end_of(other, wanted, "the last from its file")


if __name__ == "__main__":
    main()
