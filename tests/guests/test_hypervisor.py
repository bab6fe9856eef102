"""The demo hypervisor on QEMU and on rvplat: the output of its guests, and accesses it refuses."""

from __future__ import annotations

import re
from typing import Any

import lief
import pytest

from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from tests.guests.h_machines import Software, needs_qemu, on_qemu, on_rvplat


@pytest.fixture(
    scope="module",
    params=[pytest.param("qemu", marks=needs_qemu), {}, {"tinst": "zero"}, {"mmu": "sv39"}],
    ids=["qemu", "rvplat", "htinst-zero", "sv39"],
)
def output(request: pytest.FixtureRequest) -> str:
    """The output on QEMU, or on rvplat with the settings of harts in `param`."""
    settings: Any = request.param
    software = Software(hypervisor_elf())
    status, text = on_qemu(software) if settings == "qemu" else on_rvplat(software, **settings)
    assert status == 0, text
    return text


def test_both_guests_run_in_turn(output: str) -> None:
    assert "[fibonacci] fibonacci(90) is 2880067194370816120; tick 8\n" in output
    assert "[sort] 3000 numbers are sorted; tick 3\n" in output
    assert output.index("numbers are sorted") < output.index("fibonacci has shut itself down")


def test_the_same_address_holds_different_code(output: str) -> None:
    found = re.findall(r"guest_(\w+) is at (0x\w+)", output)
    assert sorted(name for name, _ in found) == ["fibonacci", "sort"]
    assert len({address for _, address in found}) == 1


def test_guests_reach_each_other_through_the_hypervisor(output: str) -> None:
    assert "[sort] message from the other guest: 2880067194370816120\n" in output


def test_accesses_outside_are_reported_with_the_guest_physical_address(output: str) -> None:
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


def test_refused_guest_continues_until_it_is_ended(output: str) -> None:
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


def test_hypervisor_contains_the_code_that_the_guests_symbols_describe() -> None:
    for path in hypervisor_guest_elfs().values():
        elf = lief.parse(str(path))
        assert isinstance(elf, lief.ELF.Binary)
        text = elf.get_section(".text")
        assert text is not None
        assert bytes(text.content) in hypervisor_elf().read_bytes()
        assert elf.has_section(".debug_line")


def test_guests_have_symbols_at_the_same_address() -> None:
    addresses = set()
    for name, path in hypervisor_guest_elfs().items():
        elf = lief.parse(str(path))
        assert isinstance(elf, lief.ELF.Binary)
        addresses.add(next(s.value for s in elf.symbols if s.name == f"guest_{name}"))
    assert len(addresses) == 1


@needs_qemu
def test_hart_without_h_is_refused_on_qemu() -> None:
    status, text = on_qemu(Software(hypervisor_elf()), cpu="rv64,h=false")
    assert (status, text) == (3, "this hart has no hypervisor extension (misa.H is 0)\n")


def test_hart_without_h_is_refused() -> None:
    status, text = on_rvplat(Software(hypervisor_elf()), isa="rv64imafdc_zicsr_zicntr_sstc")
    assert (status, text) == (3, "this hart has no hypervisor extension (misa.H is 0)\n")


def test_hart_without_stimecmp_is_refused() -> None:
    status, text = on_rvplat(Software(hypervisor_elf()), isa="rv64imafdch_zicsr_zicntr")
    assert (status, text) == (3, "this hart has no stimecmp (extension Sstc)\n")


def test_htinst_saves_reading_the_instruction_with_hlvx() -> None:
    told = {
        tinst: re.findall(r"(\d+) told by htinst, (\d+) read", _run(tinst))[0]
        for tinst in ("transformed", "zero")
    }
    assert told["transformed"][1] == told["zero"][0] == "0"
    assert int(told["transformed"][0]) > 100


def _run(tinst: str) -> str:
    return on_rvplat(Software(hypervisor_elf()), tinst=tinst)[1]
