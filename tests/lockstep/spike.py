"""Runs Spike on a program, and parses its log into events."""

from __future__ import annotations

import re
import shutil
import subprocess
from array import array
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from rvplat.machine.boards.isa_string import xlen_of
from tests import dtc

from . import layout
from .elf import write_elf
from .program import Program

LIMIT = 10_000_000  # for --instructions, which counts 5000 for each trap
LONGEST = 32 << 20  # the most bytes of a log that are read: a program may loop for ever
GRAIN = 8  # bytes a line of the signature
_CSR = re.compile(r"c(\d+)_")


@dataclass(frozen=True, slots=True)
class Step:
    """An instruction that retired."""

    priv: int
    pc: int
    bits: int
    x: tuple[tuple[int, int], ...]
    f: tuple[tuple[int, int], ...]
    csrs: tuple[tuple[int, int], ...]
    stores: tuple[tuple[int, int, int], ...]  # (virtual address, value, bytes)
    v: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Trapped:
    """An exception or an interrupt that was taken."""

    name: str
    pc: int
    tval: int | None
    bits: int = 0  # of the instruction, if it was fetched
    v: tuple[tuple[int, int], ...] = ()  # what it had written before

    @property
    def is_interrupt(self) -> bool:
        return self.name.startswith("interrupt")


Event = Step | Trapped


@dataclass(frozen=True)
class Course:
    """Spike's run: the events from the program's first instruction, and memory at the end."""

    events: list[Event]
    memory: bytes | None  # None if the program did not end


@cache
def executable() -> str:
    """The path of the Spike binary. The package's wrapper would add the start of Python."""
    try:
        from riscv._utils import find_spike_executable
    except ImportError:
        return shutil.which("spike") or "spike"
    return str(find_spike_executable())


def run(program: Program, folder: Path) -> Course:
    """Run a program in Spike. Its files are left in the folder."""
    file, signature = folder / "program.elf", folder / "signature"
    first, last = layout.COMPARED[0], layout.COMPARED[-1] + 1
    symbols = {
        "tohost": layout.address(layout.TOHOST), "fromhost": layout.address(layout.TOHOST, 64),
        "begin_signature": layout.address(first), "end_signature": layout.address(last),
    }  # fmt: skip
    file.write_bytes(write_elf(layout.BASE, program.image, symbols, xlen_of(program.isa)))
    signature.unlink(missing_ok=True)
    command = [
        executable(), f"--isa={program.isa}", f"-m{layout.BASE:#x}:{layout.SIZE:#x}", "-l",
        "--log-commits", "--log=/dev/stdout", f"--instructions={LIMIT}",
        f"+signature={signature}", f"+signature-granularity={GRAIN}", str(file),
    ]  # fmt: skip
    text = _log(command)
    (folder / "log").write_bytes(text)
    events, ended = parse(text.decode())
    if not events:
        raise RuntimeError(f"{program.name}: Spike ran nothing: {text[-500:]!r}")
    memory = read_signature(signature.read_text()) if ended else None
    return Course(events, memory)


def _log(command: list[str]) -> bytes:
    """The command's output, up to LONGEST bytes."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dtc.environment()
    ) as process:  # fmt: skip
        assert process.stdout is not None
        text = process.stdout.read(LONGEST)
        if len(text) == LONGEST:
            process.kill()
            text = text[: text.rindex(b"\n") + 1]
    return text


def read_signature(text: str) -> bytes:
    """The memory that a signature shows: lines of hexadecimal digits, the highest byte first."""
    words = array("Q", bytes.fromhex(text))
    words.byteswap()
    return words.tobytes()


def parse(text: str) -> tuple[list[Event], bool]:
    """The events from the first instruction in the program's memory to the write to tohost, and
    whether there was such a write."""
    events: list[Event] = []
    tohost = layout.address(layout.TOHOST)
    pending: Trapped | None = None
    fetched, half = (0, 0), False  # whether there is a line of what it has written
    for line in text.splitlines():
        words = line.split()
        if words[2] in ("0", "1", "3") and words[3].startswith("0x"):
            pending = None
            step = _step(words)
            if not events and step.pc < layout.BASE:
                continue
            events.append(step)
            half = step.pc == fetched[0]
            if any(va == tohost for va, _, _ in step.stores):
                return events, True
        elif words[2].startswith("0x"):
            fetched, half = (int(words[2], 16), int(words[3][1:-1], 16)), False
        elif words[2] == "exception":
            epc = words.index("epc")
            pc = int(words[epc + 1], 16)
            bits = fetched[1] if fetched[0] == pc else 0
            name = " ".join(words[3:epc]).rstrip(",")
            in_the_middle = half and bits and not name.startswith("interrupt")
            v = events.pop().v if in_the_middle else ()
            fetched = (0, 0)
            pending = Trapped(name, pc, None, bits, v)
            events.append(pending)
        elif words[2] == "tval" and pending is not None:
            events[-1] = replace(pending, tval=int(words[3], 16))
    return events, False


def _step(words: list[str]) -> Step:
    """Parse a line such as "core 0: 3 0x80000000 (0x4515) x10 0x5 c768_mstatus 0x.. mem 0x.. 0x..".
    A register is followed by its value, `mem` by an address and for a store by the value."""
    x, f, csrs, stores, v = [], [], [], [], []
    at, end = 5, len(words)
    while at < end:
        word = words[at]
        if word == "mem":
            if at + 2 < end and words[at + 2].startswith("0x"):
                digits = words[at + 2]
                stores.append((int(words[at + 1], 16), int(digits, 16), len(digits) // 2 - 1))
                at += 3
            else:
                at += 2
            continue
        if word[0] == "e":  # SEW, LMUL and vl
            at += 3
            continue
        value = int(words[at + 1], 16)
        if word[0] == "x":
            x.append((int(word[1:]), value))
        elif word[0] == "f":
            f.append((int(word[1:]), value))
        elif word[0] == "v":
            v.append((int(word[1:]), value))
        elif found := _CSR.match(word):
            csrs.append((int(found[1]), value))
        at += 2
    return Step(
        int(words[2]), int(words[3], 16), int(words[4][1:-1], 16), tuple(x), tuple(f), tuple(csrs),
        tuple(stores), tuple(v),
    )  # fmt: skip
