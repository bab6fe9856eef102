"""Records an hour of virtual time of a Debian shell, into which keys are typed meanwhile, and
replays it: without waits, and with other regions.

    python -m tests.determinism.hour --harts 2
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from random import Random

import platformdirs

from rvplat import Machine
from rvplat.guests.debian import FAST, DebianGuest, fetch

PROMPT = b"# "
MINUTES = 60
TYPED_S = 0.2  # of the host, between two keys at most


def opened(guest: DebianGuest, harts: int, regions: str) -> Machine:
    return Machine.open(
        "virt", guest.fw_jump, guest.kernel, guest.initrd, FAST, harts=harts,
        settings={"clock": "virtual", "harts.regions": regions},
    )  # fmt: skip


def type_keys(machine: Machine, numbers: Random) -> None:
    """Let the guest sleep for an hour, type meanwhile, and leave the shell."""
    console = machine.console
    console.wait_for(PROMPT, timeout_s=120)
    console.feed(f"for i in $(seq {MINUTES}); do sleep 60; echo minute $i; done\n".encode())
    ended = threading.Event()

    def type_on() -> None:
        while not ended.wait(numbers.uniform(0, TYPED_S)):
            console.feed(b"#")

    typist = threading.Thread(target=type_on)
    typist.start()
    console.wait_for(f"minute {MINUTES}\r\n".encode(), timeout_s=600)
    ended.set()
    typist.join()
    console.feed(b"\nexit\n")


def what_was(machine: Machine, began: float) -> str:
    hart = machine.harts[0]
    minutes = hart.csr("time") / machine.assembly.clock.frequency / 60
    work = sum(one.instret for one in machine.harts)
    passed = time.monotonic() - began
    return f"{minutes:.2f} min of the guest, {work:,} instructions: {passed:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harts", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    guest = fetch(Path(platformdirs.user_cache_dir("rvplat")) / "test-guests" / "debian")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recording"
        began = time.monotonic()
        with opened(guest, given.harts, "hot") as machine:
            machine.record(path)
            hands = threading.Thread(target=type_keys, args=(machine, Random(given.seed)))
            hands.start()
            stop = machine.run(timeout_s=600, ends_idle=True)
            hands.join()
            inputs = path.read_bytes().count(b'"input"')
            print(f"recorded, {stop}: {what_was(machine, began)}, {inputs} inputs", flush=True)
        for regions in ("hot", "off"):
            began = time.monotonic()
            with opened(guest, given.harts, regions) as machine:
                machine.replay(path)
                stop = machine.run(timeout_s=600)
                print(f"replayed, {regions}, {stop}: {what_was(machine, began)}", flush=True)


if __name__ == "__main__":
    main()
