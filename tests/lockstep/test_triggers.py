"""Triggers as in Spike: random programs in U mode under random triggers, by the pcs that retire.

The handler in M mode skips an instruction whose trigger has fired, and goes on after icount. At the
end the program reads its triggers back.
"""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.isa.machinery.extension import enabled_rows
from rvplat.machine.boards.catalogue import base_extensions
from tests.dtc import environment

from .elf import write_elf
from .spike import executable

BASE, TOHOST = 0x8000_0000, 0x8000_1000
HANDLER, BODY, END, DATA = BASE + 0x700, BASE + 0x2000, BASE + 0x800, BASE + 0x4000
ROWS = {row.name: row.pattern.encode for row in enabled_rows(base_extensions())}
ISA = "rv64ima_zicsr_zicntr"
LENGTH, PROGRAMS, CHUNKS = 60, 15, 4
CSRS = {
    "mstatus": 0x300, "mtvec": 0x305, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343,
    "pmpcfg0": 0x3A0, "pmpaddr0": 0x3B0, "tselect": 0x7A0, "tdata1": 0x7A1, "tdata2": 0x7A2,
}  # fmt: skip
_LINE = re.compile(r"core +0: \d 0x([0-9a-f]{16}) \(0x")


def write(name: str, rs1: int) -> int:
    return ROWS["csrrw"](csr=CSRS[name], rd=0, rs1=rs1)


def read(name: str, rd: int) -> int:
    return ROWS["csrrs"](csr=CSRS[name], rd=rd, rs1=0)


def constant(rd: int, value: int) -> list[int]:
    """Eight bits at a time."""
    code = [ROWS["addi"](rd=rd, rs1=0, imm=0)]
    for shift in range(56, -8, -8):
        code += [ROWS["slli"](rd=rd, rs1=rd, shamt=8)]
        code += [ROWS["ori"](rd=rd, rs1=rd, imm=value >> shift & 0xFF)]
    return code


def trigger(chance: random.Random) -> tuple[int, int]:
    """tdata1 and tdata2 of a trigger in U mode."""
    match chance.randrange(10):
        case 0:
            return 3 << 60 | chance.randrange(1, 12) << 10 | 1 << 6, 0
        case 1:
            return 6 << 60 | 4 | 8, BODY + 4 * chance.randrange(LENGTH)
        case 2:
            return 15 << 60, 0
        case 3 | 4 | 5:
            return data_trigger(chance)
        case 6:  # mcontrol
            at = BODY + 4 * chance.randrange(LENGTH)
            return chance.choice(((2 << 60 | 4 | 8, at), (2 << 60 | 1 | 8, DATA + at % 128)))
        case 7:
            kind, mask = chance.choice((1, 2, 3)), chance.choice((0x70, 0x38, 0x6F))
            wanted = chance.randrange(128) & mask
            return 6 << 60 | kind | 8 | 4 << 7, mask << 32 | wanted
        case kind:
            matched = chance.choice((0, 0, 1, 2, 3))
            at = DATA + 8 * chance.randrange(16)
            if matched == 1:
                at |= (1 << chance.randrange(3, 6)) - 1
            if matched == 2:
                at += 96
            if matched == 3:
                at = DATA + 8 * chance.randrange(4)
            return 6 << 60 | (kind & 3 or 3) | 8 | matched << 7, at


def data_trigger(chance: random.Random) -> tuple[int, int]:
    """One that compares a load's or a store's data, of mcontrol6 or mcontrol. Spike compares bytes
    with their signs, and all of tdata2: so tdata2 has no bit above 6. Of opcodes it compares each
    half by itself, which the specification doesn't say."""
    small = chance.randrange(128)
    matched, select = chance.choice((0, 1, 3, 4)), 1 << 21
    kind = 6 << 60
    if chance.randrange(3) == 0:
        kind, select = 2 << 60, 1 << 19
        matched = 0 if matched == 1 else matched
    if matched == 4:
        small |= chance.choice((0x70, 0x3C, 0x7F)) << 32
    return kind | select | chance.choice((1, 2)) | 8 | matched << 7, small


def triggers(chance: random.Random) -> list[tuple[int, int]]:
    """Those of a program. Beside icount none compares what is loaded: if both fire, Spike takes the
    second trap in the handler of the first."""
    drawn = [trigger(chance) for _ in range(4)]
    if all(data1 >> 60 != 3 for data1, _ in drawn):
        return drawn
    loads = [
        data1 & 1 and data1 & {2: 1 << 19, 6: 1 << 21}.get(data1 >> 60, 0) for data1, _ in drawn
    ]
    return [(data1 ^ 3 if loaded else data1, data2)
            for loaded, (data1, data2) in zip(loads, drawn, strict=True)]  # fmt: skip


def handler() -> list[int]:
    """Skip an instruction with an address in mtval; an ecall ends the program."""
    return [
        read("mcause", 31), ROWS["addi"](rd=30, rs1=31, imm=-8),
        ROWS["beq"](rs1=30, rs2=0, imm=END - HANDLER - 8),
        ROWS["addi"](rd=28, rs1=28, imm=1), read("mtval", 29), read("mepc", 30),
        ROWS["beq"](rs1=29, rs2=0, imm=12), ROWS["addi"](rd=30, rs1=30, imm=4), write("mepc", 30),
        ROWS["mret"](),
    ]  # fmt: skip


def start(chance: random.Random) -> list[int]:
    code = [*constant(5, HANDLER), write("mtvec", 5), *constant(5, (1 << 54) - 1)]
    code += [write("pmpaddr0", 5), *constant(5, 0x1F), write("pmpcfg0", 5), *constant(6, DATA)]
    for n, (data1, data2) in enumerate(triggers(chance)):
        code += [*constant(5, n), write("tselect", 5), write("tdata1", 0)]
        code += [*constant(5, data2), write("tdata2", 5), *constant(5, data1), write("tdata1", 5)]
    code += [ROWS["addi"](rd=n, rs1=0, imm=chance.randrange(128)) for n in range(7, 16)]
    return [*code, *constant(5, BODY), write("mepc", 5), write("mstatus", 0), ROWS["mret"]()]


def body(chance: random.Random) -> list[int]:
    code = []
    for _ in range(LENGTH):
        imm, register = 8 * chance.randrange(16), chance.randrange(7, 16)
        name = chance.choice(("addi", "addi", "ld", "lw", "lb", "sd", "sw", "sb"))
        if name == "addi":
            code.append(ROWS[name](rd=register, rs1=register, imm=imm - 40))
        elif name[0] == "l":
            code.append(ROWS[name](rd=register, rs1=6, imm=imm))
        else:
            code.append(ROWS[name](rs1=6, rs2=register, imm=imm))
    code.append(ROWS["addi"](rd=0, rs1=0, imm=0))  # skipped after a load that fires
    return [*code, ROWS["ecall"]()]


def end() -> list[int]:
    code = []
    for n in range(4):
        code += [*constant(5, n), write("tselect", 5), read("tdata1", 16 + n)]
    return [
        *code, *constant(5, TOHOST), ROWS["addi"](rd=6, rs1=0, imm=1),
        ROWS["sd"](rs1=5, rs2=6, imm=0), ROWS["jal"](rd=0, imm=0),
    ]  # fmt: skip


def make(number: int, folder: Path) -> Path:
    chance = random.Random(f"triggers {number}")
    image = bytearray(0x5000)
    for at, code in (
        (HANDLER, handler()), (BODY, body(chance)), (END, end()), (BASE, start(chance)),
    ):  # fmt: skip
        data = b"".join(word.to_bytes(4, "little") for word in code)
        image[at - BASE : at - BASE + len(data)] = data
    path = folder / f"triggers{number}"
    path.write_bytes(write_elf(BASE, bytes(image), {"tohost": TOHOST, "fromhost": TOHOST + 64}, 64))
    return path


def in_spike(program: Path) -> tuple[list[int], list[str]]:
    """The pcs that retired, and what the last reads of tdata1 gave."""
    log = program.with_suffix(".log")
    command = [executable(), f"--isa={ISA}", "-l", "--log-commits", f"--log={log}", str(program)]
    subprocess.run(command, check=True, timeout=20, capture_output=True, env=environment())
    lines = [line for line in log.read_text().splitlines() if _LINE.match(line)]
    commits = [line for line in lines if re.match(r"core +0: \d ", line)]
    pcs = [int(_LINE.match(line)[1], 16) for line in commits]  # type: ignore[index]
    first = pcs.index(BASE)
    ends = [re.search(r"x(1[6-9]) +0x([0-9a-f]+)", line) for line in commits]
    return pcs[first:], [comparable(int(found[2], 16)) for found in ends if found]


def comparable(data1: int) -> str:
    """A value of tdata1 without mcontrol's maskmax, which is 0 in Spike."""
    return f"{data1 & ~(0x3F << 53) if data1 >> 60 == 2 else data1:x}"


def here(program: Path, count: int) -> tuple[list[int], list[str]]:
    """The same of rvplat, until as many instructions have retired."""
    settings = {"harts.isa": f"{ISA}_sdtrig"}
    with Machine.open("spike", program=program, settings=settings) as machine:
        hart, pcs = machine.harts[0], list[int]()
        for _ in range(3 * count):
            pc, before = hart.pc, hart.instret
            machine.step(1)
            if hart.instret != before:
                pcs.append(pc)
            if len(pcs) == count:
                break
        return pcs, [comparable(hart.x[16 + n]) for n in range(4)]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_triggers_fire_as_in_spike(tmp_path: Path, chunk: int) -> None:
    for number in range(chunk * PROGRAMS, (chunk + 1) * PROGRAMS):
        program = make(number, tmp_path)
        wanted, ends = in_spike(program)
        last = wanted.index(END + 4 * (len(end()) - 2)) + 1
        pcs, ours = here(program, last)
        assert [hex(pc) for pc in pcs] == [hex(pc) for pc in wanted[:last]], number
        assert ours == ends[-4:], number
