"""Software that runs on the machine: the demo guest, the demo hypervisor, benchmarks, Debian.

The programs are part of rvplat. Their sources are beside the ELF files in `programs`, and build.py
builds them.
"""

from __future__ import annotations

from pathlib import Path

from rvplat.frozen import frozen

_ABOUT = {
    "integer":    "hashing, shifts, multiplication, division",
    "memcpy":     "memory copy in words and bytes",
    "sieve":      "sieve of Eratosthenes, a byte per number",
    "crc32":      "CRC-32 by table and by bit",
    "matrix":     "product of integer matrices",
    "sort":       "quicksort of 100,000 numbers",
    "chase":      "pointer chasing through 512 KiB",
    "bytecode":   "a stack machine's indirect jumps",
    "json":       "a JSON parser",
    "sha256":     "SHA-256",
    "lisp":       "an interpreter of trees, calls",
    "search":     "string search",
    "nbody":      "floating point, double",
    "mandelbrot": "floating point, single",
    "syscall":    "system calls from U to S to M mode",
    "pages":      "Sv39 over 64 MiB in 4 KiB pages",
    "beside":     "data in the page of the code",
    "selfmod":    "self-modifying code with fence.i",
    "registers":  "reads of device registers",
    "console":    "console output by UART, a character at a time",
}  # fmt: skip

VECTOR_PROGRAMS = {
    "vmemcpy": "memory copy with vectors of bytes",
    "vdot":    "dot product of 16-bit integers, widening",
    "vmatrix": "product of matrices of singles, with vectors",
    "vsha256": "SHA-256 with Zvknha",
    "vstrlen": "strlen with fault-only-first loads",
    "vaxpy":   "masked y += a * x of doubles",
}  # fmt: skip
"""The benchmarks with vector instructions, and what they are."""

_OF_THE_BOARD = ("syscall", "pages", "beside", "selfmod", "registers", "console")
_FUSED = ("nbody", "mandelbrot")

HYPERVISOR_GUESTS = ("fibonacci", "sort")
"""The guests that the demo hypervisor contains, in the order of their VMIDs."""


@frozen
class BenchProgram:
    """A bare-metal M-mode program for the `virt` board, which measures itself (bench.py). `native`:
    its source is also a program of the host (native.py); `fused`: its checksum depends on fused
    multiplications and additions; `needs`: extensions that the board's hart must have besides, as
    its ISA string names them."""

    name: str
    path: Path
    about: str
    native: bool = False
    fused: bool = False
    needs: tuple[str, ...] = ()


def _program(name: str) -> Path:
    return Path(__file__).parent / "programs" / name


def demo_elf() -> Path:
    """The demo guest: it prints facts of the machine, takes interrupts, uses paging, powers off."""
    return _program("demo/demo.elf")


def hypervisor_elf() -> Path:
    """The demo hypervisor, with symbols: two VS guests, time slices, an emulated UART, SBI. It
    prints the accesses that it refuses its guests, and the number of exits by cause. It needs H,
    Sstc and Sv39."""
    return _program("hypervisor/hypervisor.elf")


def shipped(word: str) -> Path | None:
    """The program that a word stands for: "demo" or "hypervisor"; None for any other word."""
    found = {"demo": demo_elf, "hypervisor": hypervisor_elf}.get(word)
    return found() if found else None


def hypervisor_guest_elfs() -> dict[str, Path]:
    """The hypervisor's guests by name, for their symbols. Guest n of HYPERVISOR_GUESTS has VMID
    n + 1; all are linked at the same addresses."""
    return {name: _program(f"hypervisor/{name}.elf") for name in HYPERVISOR_GUESTS}


def vmm() -> Path:
    """Our virtual machine monitor for KVM: a static program for riscv64 Linux, which the Debian
    guest contains."""
    return _program("vmm/vmm")


def bench_programs() -> list[BenchProgram]:
    """The benchmark programs, in the order in which they are shown: those for harts with V last."""
    return [
        BenchProgram(
            name, _program(f"bench/{name}.elf"), about, name not in _OF_THE_BOARD, name in _FUSED
        )
        for name, about in _ABOUT.items()
    ] + [
        BenchProgram(name, _program(f"bench/{name}.elf"), about, needs=_needs(name))
        for name, about in VECTOR_PROGRAMS.items()
    ]


def _needs(name: str) -> tuple[str, ...]:
    """The extensions that a program of VECTOR_PROGRAMS needs."""
    return ("v", "zvkb", "zvknha") if name == "vsha256" else ("v",)
