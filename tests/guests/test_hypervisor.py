"""The demo hypervisor on QEMU and on rvplat: two guests, what they print, what they are refused."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import lief
import pytest

from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.guests.bench import QEMU, qemu_version
from rvplat.machine.catalogue import shipped_extensions
from rvplat.machine.machine import Machine
from rvplat.machine.source import parse_override

ISA = "harts.isa=rv64imafdch_zicntr_zicsr_zifencei_zihpm_sstc"


def _on_qemu(program: Path) -> str:
    command = [QEMU, "-M", "virt", "-cpu", "rv64,h=true", "-nographic", "-bios", str(program)]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.replace("\r", "")


def _on_rvplat(program: Path) -> str:
    overrides = [override for override in [parse_override(ISA)] if override is not None]
    with Machine.open("virt", program=str(program), overrides=overrides) as machine:
        output = bytearray()
        machine.console.sinks.append(output.extend)
        stop = machine.run(timeout_s=120)
    assert (stop.reason, stop.code) == ("off", 0), output.decode()
    return output.decode().replace("\r", "")


no_qemu = pytest.mark.skipif(qemu_version() is None, reason="no QEMU on this machine")
no_h = pytest.mark.skipif("H" not in shipped_extensions(), reason="rvplat has no H extension yet")


@pytest.fixture(
    scope="module",
    params=[pytest.param(_on_qemu, marks=no_qemu), pytest.param(_on_rvplat, marks=no_h)],
    ids=["qemu", "rvplat"],
)
def output(request: pytest.FixtureRequest) -> str:
    run: Callable[[Path], str] = request.param
    return run(hypervisor_elf())


def test_both_guests_work_by_turns(output: str) -> None:
    assert "[fibonacci] fibonacci(90) is 2880067194370816120; tick 8\n" in output
    assert "[sort] 3000 numbers are sorted; tick 3\n" in output
    assert output.index("numbers are sorted") < output.index("fibonacci has shut itself down")


def test_the_same_address_is_other_code(output: str) -> None:
    found = re.findall(r"guest_(\w+) is at (0x\w+)", output)
    assert sorted(name for name, _ in found) == ["fibonacci", "sort"]
    assert len({address for _, address in found}) == 1


def test_guests_reach_each_other_through_the_hypervisor(output: str) -> None:
    assert "[sort] message from the other guest: 2880067194370816120\n" in output


def test_what_is_outside_is_reported_with_its_guest_physical_address(output: str) -> None:
    reported = re.findall(r"hypervisor: sort: (.*), which isn't its memory\n(.*)\n", output)
    assert [what for what, _ in reported] == [
        "a load from 0xc0000128",
        "a store to 0xc0002004",
        "a page table at 0xd0000000",
        "a jump to 0xc0004000",
    ]
    shown = [re.findall(r"(stval|htval) (0x\w+)", details) for _, details in reported]
    assert [dict(pairs)["htval"] for pairs in shown] == [
        "0x3000004a",
        "0x30000801",
        "0x34000000",
        "0x30001000",
    ]
    assert dict(shown[2])["stval"] == "0xffffffc100003008"


def test_refused_guest_goes_on_until_it_is_ended(output: str) -> None:
    assert "[sort] reading hgatp: cause 2\n" in output
    assert "[sort] a load from outside: cause 5, stval 0xffffffc0c0000128\n" in output
    assert "[sort] a store to outside: cause 7, stval 0xffffffc0c0002004\n" in output
    assert "still alive" not in output


def test_summary_counts_exits(output: str) -> None:
    summary = output[output.index("Exits by cause") :]
    rows = {m[1]: (int(m[2]), int(m[3])) for m in re.finditer(r"  (\S.*?)  +(\d+) +(\d+)", summary)}
    accesses = re.search(r"UART accesses +(\d+) told by htinst, (\d+) read by HLVX", summary)
    assert rows["guest page fault, fetch"] == (0, 1)
    assert rows["ecall from VS mode"][0] == 2
    assert rows["interrupt: its time slice is over"][0] > 5
    assert accesses
    assert int(accesses[1]) + int(accesses[2]) == rows["guest page fault, store"][0]
    assert summary.endswith("5 breaches were refused. Powering off.\n")


def test_guests_have_symbols_at_the_same_address() -> None:
    addresses = set()
    for name, path in hypervisor_guest_elfs().items():
        elf = lief.parse(str(path))
        assert isinstance(elf, lief.ELF.Binary)
        addresses.add(next(s.value for s in elf.symbols if s.name == f"guest_{name}"))
    assert len(addresses) == 1


@no_qemu
def test_hart_without_h_is_refused() -> None:
    command = [QEMU, "-M", "virt", "-cpu", "rv64,h=false", "-nographic"]
    command += ["-bios", str(hypervisor_elf())]
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 3
    assert result.stdout == "this hart has no hypervisor extension (misa.H is 0)\n"
