"""Programs built for rva23u64 on Debian's kernel: on two harts, and in a guest of KVM."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.guests import vmm
from rvplat.guests.debian import DebianGuest
from rvplat.isa.machinery.disassemble import Disassembler, instruction_length
from tests.guests.linux_programs import (
    SOURCES,
    archive_of,
    figures,
    linux_program,
    nested,
    output_of,
)

ISA = "rva23s64_zacas_zabha"
CPU = ("-mcpu=generic_rv64+rva23u64", "-O2", "-ffp-contract=off")
SEEDS = 8
#: An instruction or two of each extension that is in the program besides those of RV64GC.
USED = [
    "sh2add", "rev8", "min", "clz", "bext", "bseti", "czero.eqz", "c.mul", "c.zext.b", "c.not",
    "mop.r.3", "c.mop.1", "fli.d", "fround.d", "fcvt.h.s", "amocas.q.aqrl", "amoadd.h", "vsetvli",
    "vle8.v", "vredsum.vs", "vfsqrt.v", "vcpop.v", "vror.vi", "vfwcvt.f.f.v", "vfncvt.f.f.w",
]  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """`vectors`. What it does stands in its source."""
    sources = [f"rva23/{name}" for name in ("vectors.c", "hold.S", "work.c")]
    return linux_program(tmp_path_factory.mktemp("rva23"), sources, *CPU)


@pytest.fixture(scope="module")
def sums(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The checksums of `work`, as the host computes them."""
    built = tmp_path_factory.mktemp("host") / "work"
    command = [sys.executable, "-m", "ziglang", "cc", "-DHOST", "-O2", "-ffp-contract=off"]
    command += ["-mcpu=baseline", "-o", str(built), str(SOURCES / "rva23/work.c"), "-lm"]
    subprocess.run(command, check=True)
    found = subprocess.run([built], check=True, capture_output=True, text=True).stdout.split()
    assert len(found) == SEEDS
    return found


def _check(text: str, sums: list[str]) -> dict[str, int]:
    """Check the output of `vectors`; return its figures."""
    found = figures("vectors", text)
    assert found["wrong"] == 0, text
    for seed, expected in enumerate(sums):
        assert f"sum {seed}: {expected}\n" in text
    assert found["holds"] == found["works"] >= 20
    assert min(found["signals"], found["inside"], found["switches"]) >= 20
    assert "go: status 0\n" in text
    return found


def _code(elf: bytes) -> bytes:
    """The executable segment of a program."""
    [at], [size, count] = struct.unpack_from("<Q", elf, 32), struct.unpack_from("<HH", elf, 54)
    heads = [struct.unpack_from("<IIQQQQ", elf, at + i * size) for i in range(count)]
    [(offset, length)] = [(head[2], head[5]) for head in heads if head[0] == 1 and head[1] & 1]
    return elf[offset : offset + length]


def test_the_compiler_used_the_profile(program: bytes) -> None:
    code, found, at = _code(program), set(), 0
    with Machine.open("virt", settings={"harts.isa": ISA}) as machine:
        disassembler = Disassembler(machine.extensions)
    while at < len(code):
        bits = int.from_bytes(code[at : at + 4], "little")
        length = instruction_length(bits)
        found.add(disassembler.text(bits & ((1 << 8 * length) - 1)).partition(" ")[0])
        at += length
    assert sorted(set(USED) - found) == []


@pytest.mark.parametrize("vlen", [128, 256])
def test_on_two_harts(
    debian_guest: DebianGuest, program: bytes, sums: list[str], tmp_path: Path, vlen: int
) -> None:
    """Six threads on two harts, which are sent from one to the other in the middle of their work.
    The program is built for VLEN of 128 or more."""
    commands = ["/vectors 3000 3", "echo go: status $?"]
    files = {"vectors": program}
    text = output_of(debian_guest, tmp_path / "initrd", files, commands, ISA, vlen=vlen)
    found = _check(text, sums)
    assert found["vlenb"] == vlen // 8
    assert found["moved"] > 0


def test_in_a_guest_beside_its_host(
    debian_guest: DebianGuest, program: bytes, sums: list[str], tmp_path: Path
) -> None:
    """In a guest with two virtual CPUs, while the same program runs beside the VMM."""
    inside = ["/vectors 2000 2", "echo go: status $?"]
    initrd = debian_guest.initrd.read_bytes()
    files = {
        "vectors": program, "inner": initrd + archive_of({"vectors": program}, inside),
        "kernel": debian_guest.kernel.read_bytes(), "vmm": vmm().read_bytes(),
    }  # fmt: skip
    beside = "while /vectors 300 1 > /beside; do cp /beside /last; sleep 1; done &"
    commands = [beside, nested(2)]
    commands += ["echo vmm: status $?", "tail -n 1 /last | sed 's/^vectors/beside/'"]
    text = output_of(debian_guest, tmp_path / "initrd", files, commands, ISA, modules="kvm")
    _check(text, sums)
    assert "vmm: status 0\n" in text
    assert figures("beside", text)["wrong"] == 0


def test_one_reg_of_virtual_cpus(debian_guest: DebianGuest, tmp_path: Path) -> None:
    """Three virtual CPUs on two harts: KVM saves and restores their vector state and its host's,
    and ONE_REG sets and reads it."""
    sources = [f"rva23/{name}" for name in ("kvm_vectors.c", "guest.S", "work.c")]
    files = {"kvm_vectors": linux_program(tmp_path, sources, *CPU)}
    commands = ["/kvm_vectors 40", "echo go: status $?"]
    text = output_of(debian_guest, tmp_path / "initrd", files, commands, ISA, modules="kvm")
    assert figures("kvm vectors", text) == {"vlenb": 16, "runs": 120, "wrong": 0}, text
    assert "go: status 0\n" in text
