"""The shipped programs equal what their sources give."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.guests import bench_programs, demo_elf, hypervisor_elf, hypervisor_guest_elfs, vmm
from rvplat.guests.build import (
    PROGRAMS,
    ZIG_VERSION,
    GuestSource,
    build,
    compiler_version,
    programs,
)
from rvplat.guests.errors import GuestError

SAME_COMPILER = compiler_version() == ZIG_VERSION


@pytest.mark.skipif(not SAME_COMPILER, reason=f"needs ziglang {ZIG_VERSION}")
@pytest.mark.parametrize("program", programs(), ids=lambda p: p.output)
def test_rebuild_gives_the_same_bytes(program: GuestSource, tmp_path: Path) -> None:
    build(program, tmp_path / "built.elf")
    assert (tmp_path / "built.elf").read_bytes() == (PROGRAMS / program.output).read_bytes(), (
        f"{program.output} is not what its sources give: run python -m rvplat.guests.build"
    )


def test_every_program_is_listed_and_shipped() -> None:
    listed = {program.path for program in bench_programs()}
    listed |= {demo_elf(), hypervisor_elf(), *hypervisor_guest_elfs().values(), vmm()}
    listed.add(vmm().with_name("payload.elf"))  # the VMM includes it
    assert listed == {PROGRAMS / program.output for program in programs()}
    assert all(path.is_file() for path in listed)
    assert len(bench_programs()) >= 12


def test_shipped_programs_are_small() -> None:
    assert sum(path.stat().st_size for path in PROGRAMS.rglob("*.elf")) < 280_000
    assert vmm().stat().st_size < 250_000


def test_no_path_of_the_host_is_in_them() -> None:
    home = str(Path.home()).encode()
    for program in programs():
        data = (PROGRAMS / program.output).read_bytes()
        assert home + b"/" not in data and str(PROGRAMS).encode() not in data, program.output


@pytest.mark.skipif(compiler_version() is None, reason="needs ziglang")
def test_compiler_errors_are_shown(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"x\.elf cannot be built:\n(.|\n)*absent\.c"):
        build(GuestSource("x.elf", ("absent.c",)), tmp_path / "x.elf")
