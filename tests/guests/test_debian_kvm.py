"""KVM in the Debian guest: the checks of the VMM, one line each, and the same kernel as a guest."""

from __future__ import annotations

import re
from typing import Any

import pytest

from rvplat.guests.debian import FAST, DebianGuest
from rvplat.hart.counters import NEVER
from rvplat.machine.machine import Machine
from tests.guests.h_machines import Software, isa, needs_qemu, on_qemu, on_rvplat

ASPECTS = [
    "no-specific-ioctl", "world-switch", "rv64", "vcpu-get-put", "one-reg", "user-space-plic",
    "timer-and-ipi", "gstage-modes", "mmu-notifiers", "dirty-log", "lazy-fp", "sbi-emulation",
    "sbi-forwarding", "huge-pages", "ioeventfd", "guest-traps",
]  # fmt: skip

RAM = 0x8000_0000

HARTS: list[dict[str, Any]] = [
    {},
    {"count": 2},
    {"tinst": "zero"},
    {"mmu": "sv39"},
    {"isa": isa("sstc")},
    {"isa": isa("svadu")},
    {"count": 2, "tinst": "zero", "mmu": "sv39", "isa": isa("sstc", "svadu")},
]
"""The settings of `harts` that are tested: the default, one change each, and all changes."""


def _name(harts: dict[str, Any]) -> str:
    lacks = (("sstc",), ("svadu",), ("sstc", "svadu"))
    names = {isa(*names): "no-" + "-no-".join(names) for names in lacks}
    return "-".join(f"{names.get(v, f'{k}-{v}')}" for k, v in harts.items()) or "plain"


def _software(guest: DebianGuest, run: str) -> Software:
    return Software(guest.fw_jump, guest.kernel, guest.kvm_initrd, f"{FAST} rvplat.run={run}")


def _check_aspects(status: int, output: str) -> dict[str, str]:
    """Check that every aspect passed; return the text of each."""
    found = dict(re.findall(r"^kvm (\S+): (.*)$", output, re.MULTILINE))
    assert list(found) == ASPECTS, output
    assert all(text.startswith("pass") for text in found.values()), output
    assert "kvm: 16 of 16 passed\nrvplat: kvm status 0\n" in output
    assert status == 0
    return found


def _check_nested(status: int, output: str, vcpus: int) -> None:
    """Check that the outer kernel and then the inner one printed their lines and powered off."""
    inner = output.partition(f"vmm: a guest with {vcpus} virtual CPUs and 256 MiB\n")[2]
    assert f"rvplat: nproc {vcpus}\nrvplat: uname Linux " in inner, output
    assert re.search(r"vmm: the guest has powered off after \d+ ms", inner), output
    assert "rvplat: kvm status 0\n" in inner
    assert status == 0


@needs_qemu
@pytest.mark.parametrize("harts", [2])
def test_kvm_aspects_on_qemu(debian_guest: DebianGuest, harts: int) -> None:
    _check_aspects(*on_qemu(_software(debian_guest, "kvm"), harts))


@pytest.mark.parametrize("harts", HARTS, ids=_name)
def test_kvm_aspects(debian_guest: DebianGuest, harts: dict[str, Any]) -> None:
    said = _check_aspects(*on_rvplat(_software(debian_guest, "kvm"), **harts))
    mode = "Sv39x4, 41 bits" if harts.get("mmu") == "sv39" else "Sv57x4, 59 bits"
    assert mode in said["gstage-modes"]
    assert "NOT translated" not in said["gstage-modes"]
    assert ("stimecmp" in said["timer-and-ipi"]) == ("sstc" in harts.get("isa", isa()))


def test_kvm_aspects_in_virtual_time(debian_guest: DebianGuest) -> None:
    status, output = on_rvplat(_software(debian_guest, "kvm"), clock="virtual")
    _check_aspects(status, output)
    assert ": try 1: " not in output


def _writes_of_vstimecmp(machine: Machine) -> dict[int, int]:
    """Addresses in RAM of `csrw vstimecmp, rs1`, or of bytes that look like it, and their rs1."""
    ram = machine.memory.view(RAM, machine.board.main_memory.size)
    found = re.finditer(rb"(?s)\x73[\x10\x90][\xd0-\xdf]\x24", ram)
    words = {RAM + one.start(): int.from_bytes(one[0], "little") for one in found}
    return {address: word >> 15 & 31 for address, word in words.items()}


def _jump_after_alarms(machine: Machine, most: int) -> int:
    """Run to the end. At the first `most` times that KVM sets a guest's timer, advance the clock by
    50 ms. Return how often that happened."""
    hart, jumps = machine.harts[0], 0
    registers = _writes_of_vstimecmp(machine)
    for address in registers:
        machine.breakpoints.add(address, space="physical")
    while machine.run(timeout_s=180).reason == "break":
        place = hart.translate(hart.pc)
        assert place is not None
        if jumps < most and hart.x[registers[place]] != NEVER:
            clock: Any = machine.assembly.clock
            clock.advance(clock.frequency // 20)
            jumps += 1
    return jumps


def test_no_alarm_is_lost_where_the_thread_could_be_preempted(debian_guest: DebianGuest) -> None:
    """The thread's time slice ends as soon as KVM has set a timer, while other threads wait."""
    busy = '"(while :; do :; done)& /kvm/vmm check timer-and-ipi"'
    append = f"{FAST} rvplat.modules=kvm rvplat.run=script rvplat.script={busy}"
    with Machine.open(
        "virt", debian_guest.fw_jump, debian_guest.kernel, debian_guest.kvm_initrd, append,
        settings={"clock": "virtual"},
    ) as machine:  # fmt: skip
        machine.start()
        machine.console.wait_for("rvplat: uname", timeout_s=60)
        machine.pause()
        assert _jump_after_alarms(machine, 5) == 5
        assert b"kvm: 1 of 1 passed" in machine.console.output


@needs_qemu
@pytest.mark.parametrize(("harts", "vcpus"), [(2, 2)])
def test_same_kernel_is_a_guest_on_qemu(debian_guest: DebianGuest, harts: int, vcpus: int) -> None:
    software = _software(debian_guest, f"nested rvplat.vcpus={vcpus}")
    _check_nested(*on_qemu(software, harts), vcpus)


@pytest.mark.parametrize("number", range(len(HARTS)), ids=[_name(one) for one in HARTS])
def test_same_kernel_is_a_guest(debian_guest: DebianGuest, number: int) -> None:
    """On harts of each kind, with one and two virtual CPUs in turn."""
    harts, vcpus = HARTS[number], 1 + number % 2
    software = _software(debian_guest, f"nested rvplat.vcpus={vcpus}")
    _check_nested(*on_rvplat(software, **harts), vcpus)


def test_nested_kernel_has_its_own_command_line(debian_guest: DebianGuest) -> None:
    append = f'"{FAST} earlycon=sbi loglevel=8 rvplat.run=poweroff"'
    status, output = on_rvplat(_software(debian_guest, f"nested rvplat.append={append}"))
    assert status == 0
    assert re.search(r"vmm: the guest has powered off after .* [1-9]\d* SBI exits", output)


def test_kernel_module_reports_what_it_found(debian_guest: DebianGuest) -> None:
    append = FAST.removeprefix("quiet ") + " rvplat.run=poweroff rvplat.modules=kvm"
    software = Software(debian_guest.fw_jump, debian_guest.kernel, debian_guest.initrd, append)
    status, output = on_rvplat(software)
    assert status == 0
    assert "hypervisor extension available" in output
    assert "using Sv57x4 G-stage page table format" in output
    assert re.search(r"VMID \d+ bits available", output)
