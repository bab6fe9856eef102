"""Builds the guest programs of this package: `python -m rvplat.guests.build`.

The compiler is that of the PyPI package `ziglang`, a development dependency. The built ELF files
are beside their sources and ship with rvplat, so running them needs no compiler. A test builds them
again and compares: the same version of the compiler gives the same bytes on every host.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import platformdirs

from rvplat.frozen import frozen
from rvplat.guests import HYPERVISOR_GUESTS, VECTOR_PROGRAMS
from rvplat.guests.errors import GuestError

ZIG_VERSION = "0.17.1"
"""The version of ziglang that built the ELF files in the tree."""

PROGRAMS = Path(__file__).parent / "programs"
_START = "crt0.S"
_STRIPPED = ("-g0", "-s")
_BARE_METAL = (
    "-target", "riscv64-freestanding-none", "-mcpu=generic_rv64+m+a+f+d+c+h", "-mabi=lp64d",
    "-mcmodel=medany", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-ffreestanding",
    "-fno-stack-protector", "-fno-sanitize=undefined", "-fno-pic", "-fno-builtin",
    "-fno-math-errno", "-nostdlib", "-static", "-Wl,--gc-sections", "-Wl,--build-id=none",
    "-Wl,-z,max-page-size=16",
)  # fmt: skip
_VECTORS = (
    *_BARE_METAL, "-mcpu=generic_rv64+m+a+f+d+c+h+v+zvknha+zvkb", "-fno-vectorize",
    "-fno-slp-vectorize", "-Wl,-T,link.ld", *_STRIPPED,
)  # fmt: skip
# The options of programs for Linux.
LINUX = (
    "-target", "riscv64-linux-musl", "-mcpu=generic_rv64+m+a+f+d+c", "-Os", "-std=gnu23",
    "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fno-stack-protector",
    "-fno-sanitize=undefined", "-static", "-Wl,--gc-sections", "-Wl,--build-id=none", *_STRIPPED,
)  # fmt: skip
# Programs that users debug have symbols, types and lines. Paths of sources are relative to
# `programs`. .debug_frame, which isn't loaded, describes frames, so that gdb need not analyse
# prologues.
FRAMES = ("-g", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables")
_FOR_DEBUGGERS = (*FRAMES, "-fdebug-compilation-dir=.", "-Wl,--compress-debug-sections=zlib")
_HOST = (
    "-mcpu=baseline", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fno-builtin",
    "-fno-math-errno", "-fno-sanitize=undefined", "-include", "native.h", *_STRIPPED,
)  # fmt: skip
_HOST_FUSED = ("-mcpu=baseline+fma", *_HOST[1:])
_PLAIN = (*_BARE_METAL, "-Wl,-T,link.ld", *_STRIPPED)
_HYPERVISOR = (*_BARE_METAL, "-Wl,-T,link.ld", *_FOR_DEBUGGERS)
_HYPERVISOR_GUEST = (*_BARE_METAL, "-Wl,-T,hypervisor/guest.ld", *_FOR_DEBUGGERS)
_VMM_PAYLOAD = (*_BARE_METAL, "-Wl,-T,vmm/payload.ld", *_STRIPPED)
_VMM = (
    "boot", "check", "check_cpu", "check_io", "check_late", "check_memory", "devices", "devicetree",
    "kvm", "main", "sbi",
)  # fmt: skip


@frozen
class GuestSource:
    """One ELF file and the sources that it is built from, relative to `programs`."""

    output: str
    sources: tuple[str, ...]
    options: tuple[str, ...] = _PLAIN
    embedded: tuple[GuestSource, ...] = ()
    """Programs that its sources include (`.incbin`), stripped."""

    @property
    def has_libc(self) -> bool:
        """Whether it needs the C library, which the compiler builds first in about a minute."""
        return "-nostdlib" not in self.options


def programs() -> list[GuestSource]:
    """All programs, in an order in which they can be built: the VMM includes its guest's file."""
    bench = sorted(path.name for path in (PROGRAMS / "bench").glob("*.c"))
    guests = tuple(_hypervisor_guest(name) for name in HYPERVISOR_GUESTS)
    return [
        *(_bench(Path(name).stem) for name in bench),
        GuestSource("demo/demo.elf", (_START, "demo/main.c", "demo/traps.S")),
        *guests,
        GuestSource(
            "hypervisor/hypervisor.elf",
            (_START, "hypervisor/main.c", "hypervisor/world.S"),
            _HYPERVISOR,
            guests,
        ),
        GuestSource("vmm/payload.elf", ("vmm/payload_start.S", "vmm/payload.c"), _VMM_PAYLOAD),
        GuestSource("vmm/vmm", tuple(f"vmm/{name}.c" for name in _VMM), LINUX),
    ]


def _bench(name: str) -> GuestSource:
    options = _VECTORS if name in VECTOR_PROGRAMS else _PLAIN
    return GuestSource(f"bench/{name}.elf", (_START, f"bench/{name}.c"), options)


def native_program(name: str, fused: bool) -> GuestSource:
    """A benchmark as a program of the host, with native.h in place of the board. `fused`: its
    checksum is that of fused multiplications and additions, which x86-64 has as an extension."""
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    options = _HOST_FUSED if fused and on_x86 else _HOST
    return GuestSource(f"bench/{name}", (f"bench/{name}.c",), options)


def _hypervisor_guest(name: str) -> GuestSource:
    sources = ("hypervisor/guest_start.S", f"hypervisor/{name}.c")
    return GuestSource(f"hypervisor/{name}.elf", sources, _HYPERVISOR_GUEST)


def compiler_version() -> str | None:
    """The version of the installed ziglang; None if it is not installed."""
    try:
        return version("ziglang")
    except PackageNotFoundError:
        return None


def build(program: GuestSource, output: Path) -> None:
    """Compile and link a program into the file `output`."""
    if compiler_version() is None:
        raise GuestError("building guests needs the package ziglang: pip install ziglang")
    command = [sys.executable, "-m", "ziglang", "cc", *program.options, *program.sources]
    with tempfile.TemporaryDirectory() as folder, _compiler_cache(program) as cache:
        for part in program.embedded:
            stripped = replace(part, options=(*part.options, *_STRIPPED))
            build(stripped, Path(folder) / Path(part.output).name)
        caches = {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
        result = subprocess.run(
            [*command, "-I", folder, "-o", str(output)],
            cwd=PROGRAMS,
            env={**os.environ, **caches},
            capture_output=True,
            text=True,
        )
    if result.returncode != 0:
        raise GuestError(f"{program.output} cannot be built:\n{result.stderr}")


@contextmanager
def _compiler_cache(program: GuestSource) -> Iterator[str]:
    """The folder of the compiler's cache. It is in the user's cache folder for a program that needs
    the C library. Otherwise it is empty, because the compiler doesn't notice a change of a file
    that `.incbin` includes."""
    if program.has_libc:
        yield str(Path(platformdirs.user_cache_dir("rvplat")) / f"ziglang-{ZIG_VERSION}")
        return
    with tempfile.TemporaryDirectory() as cache:
        yield cache


def main() -> int:
    """Build all programs, or those with the given names, in the source tree."""
    parser = argparse.ArgumentParser(prog="python -m rvplat.guests.build", description=main.__doc__)
    parser.add_argument("name", nargs="*", help="a program's name, such as sieve or demo")
    wanted = parser.parse_args().name
    for program in programs():
        if not wanted or Path(program.output).stem in wanted:
            output = PROGRAMS / program.output
            build(program, output)
            print(f"{program.output:<24} {output.stat().st_size:>6} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
