"""Target descriptions, and how gdb shows the registers of the host and of a guest."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from rvplat.engine.agent import REG_CSR
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.gdb.target.registers import Registers
from rvplat.gdb.target.target_description import F_NAMES, FIELDS, X_NAMES
from rvplat.guests import hypervisor_elf, hypervisor_guest_elfs
from rvplat.machine.machine import Machine
from tests.gdb.conftest import Serve
from tests.gdb.driver import Gdb
from tests.machine.debugging.test_guest_breakpoints import symbol

WORK = symbol(hypervisor_guest_elfs()["sort"], "guest_sort")


def rows(isa: str) -> tuple[dict[str, ET.Element], Registers]:
    """The registers of a hart by name."""
    with Machine.open("virt", settings={"harts.isa": isa}) as machine:
        registers = Registers(machine)
    files = registers.layout.annexes
    names = re.findall(r'href="([^"]+)"', files["target.xml"])
    assert set(names) == set(files) - {"target.xml"}
    found = [row for name in names for row in ET.fromstring(files[name]).iter("reg")]
    assert len({row.get("name") for row in found}) == len(found)
    assert len({row.get("regnum") for row in found}) == len(found)
    return {str(row.get("name")): row for row in found}, registers


@pytest.mark.parametrize("isa", ["rv64imac", "rv64gc", "rv64gch_zicsr_svinval_sstc"])
def test_every_register_once(isa: str) -> None:
    found, registers = rows(isa)
    for csr in registers.names():
        assert found[csr.name].get("regnum") == str(REG_CSR + csr.number)
        fields = found.get(f"{csr.name}_fields")
        assert fields is None or fields.get("regnum") == str(REG_CSR + csr.number + FIELDS)
    assert ("mstatus_fields" in found, "mscratch_fields" in found) == (True, False)
    sizes = {int(row.get("regnum", "")): int(row.get("bitsize", "")) // 8 for row in found.values()}
    assert sizes == registers.layout.sizes
    assert ("ft0" in found, "hgatp" in found) == ("imac" not in isa, "gch" in isa)


def test_groups() -> None:
    found, registers = rows("rv64gch_zicsr_sstc")
    group = [name for name, row in found.items() if row.get("group") == "hypervisor"]
    of_h = [csr.name for csr in registers.names() if csr.number >> 8 & 3 == 2]
    assert sorted(group) == sorted(["mode", "priv", "virt", "vmid", "asid", *of_h])


def test_what_calls_save() -> None:
    """gdb saves x, f and pc, and by its own knowledge fflags, frm and fcsr."""
    found, _ = rows("rv64gch_zicsr_sstc")
    kept = {name for name, row in found.items() if row.get("save-restore") == "no"}
    saved = set(found) - kept
    assert saved == {*X_NAMES, *F_NAMES, "pc", "fflags", "frm", "fcsr"}


def test_lldb_sees_fields_in_the_csr_itself() -> None:
    with Machine.open("virt") as machine:
        layout = Registers(machine).layout
        text = "".join(layout.lldb.values())
        target = MachineTarget(machine)
        assert "_fields" not in "".join(re.findall(r"<reg name=\S+", text))
        assert '<flags id="mstatus_fields" size="8">' in text
        assert 'name="mstatus" bitsize="64" type="mstatus_fields"' in text
        target.set_features(frozenset({"xmlRegisters=i386,arm,mips,arc", "multiprocess"}))
        assert target.annexes(1) == layout.lldb
        target.set_features(frozenset({"xmlRegisters=i386", "multiprocess"}))
        assert target.annexes(1) == layout.annexes
        target.close()


@pytest.fixture
def guest(gdb: Gdb, serve: Serve) -> Gdb:
    """Stopped at the work of a guest, whose inferior is selected."""
    gdb.attach(serve(Machine.open("virt", program=hypervisor_elf())), extended=True)
    gdb.do(f"monitor break {WORK:#x} vmid=2")
    gdb.go()
    pid = re.search(r"VMID 2 \(process (\d+)\)", gdb.output)
    assert pid is not None
    gdb.do("add-inferior")
    gdb.do("inferior 2")
    gdb.go(f"attach {pid[1]}")
    gdb.do("monitor delete all")
    return gdb


def test_a_guests_registers(guest: Gdb) -> None:
    names = ["mode", "priv", "virt", "vmid", "asid"]
    assert [guest.value(f"${name}") for name in names] == ["VS", "5", "1", "2", "0"]
    assert guest.value("$hgatp_fields.VMID") == "2"
    assert guest.value("$satp_fields.MODE") == "8"  # a guest's satp is vsatp
    assert guest.value("$satp == $vsatp") == "1"
    listed = guest.do("info registers hypervisor")
    names = [line.split()[0] for line in listed.splitlines()]
    assert names[:5] == ["mode", "priv", "virt", "vmid", "asid"]
    assert {"hstatus", "hgatp", "hvip", "vsstatus", "vsatp", "vstimecmp"} <= set(names)
    assert "VMID = 2" in guest.do("info registers fields")
    assert re.search(r"mode\s+0x5\s+VS", listed)


def test_conditions_on_them(guest: Gdb) -> None:
    """The board evaluates them: gdb's bytecode may name registers that gdb itself doesn't know."""
    guest.do(f"file {hypervisor_guest_elfs()['sort']}")
    guest.do("break guest_sort if $priv == 5 && $virt == 1 && $vmid == 2 && $asid == 0")
    assert guest.go()["reason"] == "breakpoint-hit"
    guest.do("delete")
    guest.do("break guest_sort if $priv == 1 || $vmid == 3 || $asid != 0")
    guest.do("inferior 1")
    assert guest.go()["reason"] == "exited-normally"


def test_the_hosts_registers(guest: Gdb) -> None:
    guest.do("inferior 1")
    guest.do("break trap_from_guest")
    guest.go()
    assert [guest.value(f"${name}") for name in ("mode", "virt", "vmid")] == ["S", "0", "0"]
    assert guest.value("$satp") == "0"
    assert guest.value("$mstatus_fields.MPP") in ("0", "1")
    assert guest.value("$hstatus_fields.SPV") == "true"
    assert "SPVP = true" in guest.value("$hstatus_fields")
    guest.do("set var $hstatus_fields.HU = 1")
    assert guest.value("$hstatus_fields.HU") == "true"
    with pytest.raises(RuntimeError, match="virt, vmid and asid can't be written|E01"):
        guest.do("set var $vmid = 3")
