"""Boots Debian with a virtual clock in different ways, and compares a hash of each run.

    python -m tests.determinism --harts 1 2 4 --runs 5 --load
    python -m tests.determinism --harts 1 2 --runs 5 --load --nested

The board has a disk, to which the guest writes, and a device in Python, which it polls. The hash is
of the state of all harts at every round that begins a million instructions after the last one, and
of RAM, disk, output and time at the end. `--load` keeps the host's processors busy in every second
run. It prints the time of each boot as well, and that of a boot with the host's clock.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from random import Random

import platformdirs

from rvplat import Machine
from rvplat.guests.debian import FAST, DebianGuest, fetch
from rvplat.guests.disk import ext4_disk
from tests.determinism.trace import Trace
from tests.determinism.ways import TIMEOUT_S, WAYS, Way

TIMER = Path(__file__).parents[2] / "plugins/examples/egg_timer.py"
TIMER_AT = 0x1001_0000
#: Writes to the disk and waits for the timer in turn.
SCRIPT = f"""
i=0
while [ $i -lt 12 ]; do
  devmem {TIMER_AT:#x} 32 $((i + 1))
  dd if=/dev/urandom of=/mnt/$i bs=4096 count=$((i + 1)) 2> /dev/null
  while [ $(devmem {TIMER_AT + 8:#x} 32) = 0x00000000 ]; do usleep 300; done
  devmem {TIMER_AT + 8:#x} 32 1
  md5sum /mnt/$i
  i=$((i + 1))
done
"""
DISK_BYTES = 16 << 20


@dataclass
class Boot:
    """What is booted: Debian with a script on so many harts, or with its kernel again in KVM."""

    guest: DebianGuest
    disk: Path
    harts: int
    nested: bool

    def opened(self, **settings: object) -> Machine:
        """A machine that has executed nothing."""
        script = SCRIPT.strip().replace("\n", "; ").replace("do;", "do")
        what = "rvplat.run=nested" if self.nested else f'rvplat.run=script rvplat.script="{script}"'
        timer = {"model": "egg-timer", "base": TIMER_AT, "interrupts": [20]}
        settings |= {f"devices.timer.{key}": value for key, value in timer.items()}
        return Machine.open(
            "virt", self.guest.fw_jump, self.guest.kernel,
            self.guest.kvm_initrd if self.nested else self.guest.initrd, f"{FAST} {what}",
            settings={"devices.virtio0.snapshot": True, **settings}, harts=self.harts,
            disk=self.disk, plugin_paths=[TIMER],
        )  # fmt: skip

    def run(self, way: Way, regions: str, seed: int) -> tuple[Trace, str, float]:
        """Boot with a virtual clock: what it did, its digest, and the seconds of processors."""
        with self.opened(clock="virtual", **{"harts.regions": regions}) as machine:
            trace = Trace(machine)
            began = time.process_time()
            way(machine, trace, Random(seed))
            spent = time.process_time() - began
            assert not trace.differs_from_itself, trace.differs_from_itself
            return trace, trace.digest(), spent

    def run_on_host(self) -> float:
        """Boot with the host's clock: the seconds of processors."""
        with self.opened(clock="host") as machine:
            began = time.process_time()
            machine.run(timeout_s=TIMEOUT_S)
            return time.process_time() - began


def burn() -> None:
    """Keep a processor busy."""
    while True:
        hashlib.sha256(bytes(1 << 20)).digest()


@contextmanager
def busy() -> Iterator[None]:
    """Keep two processors busy."""
    processes = [multiprocessing.Process(target=burn, daemon=True) for _ in range(2)]
    for one in processes:
        one.start()
    try:
        yield
    finally:
        for one in processes:
            one.kill()


def compare(boot: Boot, runs: int, load: bool, seed: int) -> bool:
    """Boot so many times. Whether all boots were the same."""
    print(f"{boot.harts} harts, the host's clock: {boot.run_on_host():.2f} s", flush=True)
    first: Trace | None = None
    hashes = set()
    for number in range(runs):
        way, regions = WAYS[number % len(WAYS)]
        beside: AbstractContextManager[None] = busy() if load and number % 2 else nullcontext()
        with beside:
            trace, found, spent = boot.run(way, regions, seed + number)
        first = first or trace
        hashes.add(found)
        where = "" if len(hashes) == 1 else f", first difference {first.first_difference(trace)}"
        print(f"  {found} {way.__name__}, regions {regions}: {spent:.2f} s{where}", flush=True)
    print(f"{boot.harts} harts: {len(hashes)} hash{'es' * (len(hashes) > 1)}", flush=True)
    return len(hashes) == 1


def main() -> int:
    """Run the boots. The exit status is 1 if a hash differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.determinism", description=__doc__)
    parser.add_argument("--harts", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--runs", type=int, default=len(WAYS), help="boots on each number of harts")
    parser.add_argument("--load", action="store_true", help="busy processors in every second run")
    parser.add_argument("--nested", action="store_true", help="boot the kernel in KVM as well")
    parser.add_argument("--seed", type=int, default=1, help="of the places where runs stop")
    given = parser.parse_args()
    guest = fetch(Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian", kvm=True)
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk"
        ext4_disk(disk, DISK_BYTES, {"file": b"from the host\n"})
        boots = [Boot(guest, disk, harts, given.nested) for harts in given.harts]
        same = [compare(boot, given.runs, given.load, given.seed) for boot in boots]
    return int(not all(same))


if __name__ == "__main__":
    sys.exit(main())
