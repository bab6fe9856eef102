"""`[harts.N]`: harts of one board that differ, as those of real chips do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.engine.agent import REG_CSR
from rvplat.errors import BoardError
from rvplat.gdb.monitor.monitored_target import MonitoredTarget
from rvplat.gdb.protocol.errors import GdbError, Unavailable
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.isa.machinery.extension import enabled_rows
from rvplat.isa.privileged import Cause
from rvplat.machine.boards.catalogue import base_extensions, shipped_extensions
from rvplat.machine.loading.fdt import to_dtb
from rvplat.machine.loading.fdt_read import from_dtb
from tests.machine.test_rv32 import BASE, write

ROWS = {row.name: row.pattern.encode for row in enabled_rows(base_extensions())}
HANDLER = BASE + 0x400
ONES = (1 << 64) - 1
ISA = "rv64imafdch_zicsr_zicntr_zba_zbb"
Make = Callable[..., Machine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """make(**{"harts.1.isa": ...}): a stopped machine of two harts."""
    made: list[Machine] = []

    def machine(code: list[int] | None = None, **settings: object) -> Machine:
        program = write(tmp_path, [*(code or []), *[0x13] * 64], 64)
        every = {"harts.isa": ISA, "harts.count": 2, **settings}
        made.append(Machine.open("spike", program=program, settings=every))
        for hart in made[-1].harts:
            hart.set_csr("mtvec", HANDLER)
        return made[-1]

    yield machine
    for one in made:
        one.close()


def outcome(machine: Machine, n: int, bits: int) -> int | None:
    """The cause of the trap of an instruction in M mode on hart n; None if it does not trap."""
    hart = machine.harts[n]
    machine.memory.write(BASE + 0x100, bits.to_bytes(4, "little"))
    hart.pc, hart.priv = BASE + 0x100, 3
    machine.step(1, hart=n)
    return int(hart.csr("mcause")) if hart.pc == HANDLER else None


def number(machine: Machine, name: str) -> int:
    return machine.harts[0].csrs[name].number


def probed(machine: Machine, n: int, name: str, value: int = ONES) -> int:
    """What software reads after it has written a CSR."""
    hart, csr = machine.harts[n], number(machine, name)
    hart.x[6] = value
    assert outcome(machine, n, ROWS["csrrw"](csr=csr, rd=0, rs1=6)) is None
    assert outcome(machine, n, ROWS["csrrs"](csr=csr, rd=5, rs1=0)) is None
    return int(hart.x[5])


def test_an_instruction_that_one_hart_lacks_is_illegal_there(make: Make) -> None:
    """Unprivileged, "Instruction Set": what is not implemented is illegal or reserved."""
    machine = make(**{"harts.1.isa": "rv64iac_zicsr_zba"})
    for name, causes in (
        ("mul", (None, Cause.ILLEGAL)), ("andn", (None, Cause.ILLEGAL)), ("sh1add", (None, None)),
    ):  # fmt: skip
        found = [outcome(machine, n, ROWS[name](rd=5, rs1=6, rs2=7)) for n in range(2)]
        assert found == list(causes), name
    assert [hart.csr("misa") >> 12 & 1 for hart in machine.harts] == [1, 0]
    assert "mstatus" in machine.harts[1].csrs and "hstatus" not in machine.harts[1].csrs


@pytest.mark.parametrize("regions", ["off", "all"])
def test_in_hot_code_too(make: Make, regions: str) -> None:
    """Both harts run the same loop; the one without M leaves it at the first mul."""
    mul = ROWS["mul"](rd=5, rs1=6, rs2=7)
    loop = [ROWS["addi"](rd=8, rs1=8, imm=1), mul, ROWS["jal"](rd=0, imm=-8)]
    machine = make(loop, **{"harts.1.isa": "rv64iac_zicsr", "harts.regions": regions})
    for n in (0, 1):
        machine.harts[n].pc = BASE
    machine.memory.write(HANDLER, ROWS["jal"](rd=0, imm=0).to_bytes(4, "little"))
    machine.step(3000, hart=0)
    machine.step(3000, hart=1)
    first, second = machine.harts
    assert first.x[8] == 1000
    assert (second.x[8], second.csr("mcause"), second.csr("mtval")) == (1, Cause.ILLEGAL, mul)


def test_pmp_entries_are_probed(make: Make) -> None:
    """ "Physical Memory Protection CSRs": further entries are read-only zero."""
    machine = make(**{"harts.1.pmp_entries": 5})
    assert [probed(machine, n, "pmpaddr4") for n in (0, 1)] == [(1 << 54) - 1] * 2
    assert [probed(machine, n, "pmpaddr5") for n in (0, 1)] == [(1 << 54) - 1, 0]
    config = 0x0707_0707_0707_0707
    assert [probed(machine, n, "pmpcfg0", config) for n in (0, 1)] == [config, 0x07_0707_0707]
    machine = make(**{"harts.1.pmp_entries": 0})
    bits = ROWS["csrrs"](csr=number(machine, "pmpaddr0"), rd=5, rs1=0)
    assert [outcome(machine, n, bits) for n in (0, 1)] == [None, Cause.ILLEGAL]


def test_the_widths_of_asid_and_vmid_are_probed(make: Make) -> None:
    """ "Supervisor Address Translation and Protection (satp) Register": software writes ones and
    looks which stay."""
    machine = make(**{"harts.1.asid_bits": 3, "harts.vmid_bits": 7, "harts.1.vmid_bits": 0})
    ids = 8 << 60 | 0xFFFF << 44
    for name, wanted in (("satp", (0xFFFF, 7)), ("vsatp", (0xFFFF, 7)), ("hgatp", (0x7F, 0))):
        found = [probed(machine, n, name, ids) >> 44 & 0xFFFF for n in (0, 1)]
        assert found == list(wanted), name


def test_translation_schemes_are_probed(make: Make) -> None:
    machine = make(**{"harts.1.mmu": "sv39"})
    assert [probed(machine, n, "satp", 9 << 60) >> 60 for n in (0, 1)] == [9, 0]


def test_an_absent_csr_traps(make: Make) -> None:
    machine = make(**{"harts.1.absent_csrs": ["mcountinhibit", "menvcfg"]})
    for again in range(2):
        for name in ("mcountinhibit", "menvcfg"):
            bits = ROWS["csrrs"](csr=number(machine, name), rd=5, rs1=0)
            assert [outcome(machine, n, bits) for n in (0, 1)] == [None, Cause.ILLEGAL], again
        with pytest.raises(LookupError, match="hart 1 has no CSR 'menvcfg'"):
            machine.harts[1].csr("menvcfg")
        machine.reset()
        for hart in machine.harts:
            hart.set_csr("mtvec", HANDLER)


def test_a_hart_without_c_has_ialign_32(make: Make) -> None:
    """Unprivileged, "Base Integer ... Instruction Formats": a jump to a halfword is misaligned."""
    machine = make(**{"harts.1.isa": "rv64ima_zicsr"})
    found = [outcome(machine, n, ROWS["jal"](rd=0, imm=6)) for n in (0, 1)]
    assert found == [None, Cause.FETCH_MISALIGNED]
    assert outcome(machine, 1, 0x0001_0001) == Cause.ILLEGAL  # c.nop
    assert outcome(machine, 0, 0x0001_0001) is None


def test_lengths_of_vectors(make: Make) -> None:
    machine = make(**{"harts.isa": "rv64gcv", "harts.1.vlen": 256})
    for hart in machine.harts:
        hart.set_csr("mstatus.VS", 1)
    assert [hart.csr("vlenb") for hart in machine.harts] == [16, 32]
    machine.harts[1].v[3] = 1 << 255
    with pytest.raises(ValueError):
        machine.harts[0].v[3] = 1 << 255


def test_the_device_tree_has_each_hart_s_own(make: Make) -> None:
    machine = make(**{"harts.1.isa": "rv64imac_zicsr", "harts.1.mmu": "bare"})
    cpus = from_dtb(to_dtb(machine.assembly.device_tree())).get("cpus")
    nodes = [cpus.get(f"cpu@{n}") for n in range(2)] if cpus is not None else []
    assert [node is not None and node.properties["mmu-type"] for node in nodes] == [
        (b"riscv,sv57\0",), (b"riscv,none\0",),
    ]  # fmt: skip
    isas = [str(node.properties["riscv,isa"][0]) for node in nodes if node is not None]
    assert "rv64imafdcbh" not in isas[1] and isas[1].startswith("b'rv64imac")
    assert isas[0].startswith("b'rv64imafdch")


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("harts.2.vlen", 128, "harts.2: found hart 2 on a board with 2, expected a hart from 0 to "
         "1, or a larger harts.count"),
        ("harts.01.vlen", 128, "harts.01: found hart 01 on a board with 2, expected a hart from 0 "
         "to 1, or a larger harts.count"),
        ("harts.1.isa", "rv32i", "harts.1.isa: found RV32 beside RV64 in harts.isa, expected an "
         "ISA string of RV64: all harts have the same XLEN"),
        ("harts.1.isa", "rv64i_zilsd", "harts.1.isa: found Zilsd on RV64, expected Zilsd on RV32 "
         "only"),
        ("harts.0.vlen", 128, "harts.0.vlen: found 128, expected no vlen, or a vector extension "
         "such as v in harts.isa"),
        ("harts.1.absent_csrs", ["mcountinhibti"], 'harts.1.absent_csrs: found "mcountinhibti", '
         "which no extension of the hart has, expected a CSR of the hart; did you mean "
         '"mcountinhibit"?'),
        ("harts.1.absent_csrs", ["vsatp"], 'harts.1.absent_csrs: found "vsatp", without which a '
         "hart can't be, expected a CSR that a hart may lack"),
        ("harts.1.vmid_bits", 15, "harts.1.vmid_bits: found 15, expected an integer from 0 to 14"),
        ("harts.1.clock", 1, 'harts.1.clock: found an unknown key "clock", expected one of '
         "absent_csrs, asid_bits, isa, mmu, pmp_entries, rnmi_exception_handler, rnmi_handler, "
         "vlen, vmid_bits"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(make: Make, key: str, value: object, fault: str) -> None:
    with pytest.raises(BoardError) as error:
        make(**{key: value})
    assert fault in str(error.value)


def test_more_bits_than_rv32_has(make: Make) -> None:
    with pytest.raises(BoardError, match="harts.asid_bits: found 10, expected at most 9 on RV32"):
        make(**{"harts.isa": "rv32imac_zicsr", "harts.asid_bits": 10})


def test_what_harts_decode_alike() -> None:
    """A region has no instruction that another hart decodes as something else: prefetches of
    Zicbop are ori to x0 on a hart without it."""
    from rvplat.engine.architecture import shared_entries

    known = shipped_extensions()
    less = [known[name] for name in ("I", "Zicsr")]
    more = [*less, known["M"], known["Zicbop"]]
    names = {entry.name for entry in shared_entries([less, more])}
    assert "addi" in names and not names & {"ori", "mul", "prefetch.r"}
    assert "ori" in {entry.name for entry in shared_entries([less, less])}


def test_gdb_and_the_monitor_know_each_hart(make: Make) -> None:
    """gdb's description is of all threads; what a thread's hart lacks is unavailable."""
    machine = make(**{"harts.isa": "rv64gcv", "harts.1.isa": "rv64imac_zicsr"})
    target, said = MonitoredTarget(machine), list[str]()
    first, second = Thread(1, 1), Thread(1, 2)
    fcsr, v1 = REG_CSR + 3, 0x4001
    assert target.read_register(first, fcsr) == target.read_register(first, v1) == 0
    for register in (fcsr, v1):
        with pytest.raises(Unavailable):
            target.read_register(second, register)
        with pytest.raises(GdbError, match="hart 1 has|of hart 1 have"):
            target.write_register(second, register, 1)
    target.monitor(first, "harts", said.append)
    assert [line.split()[:4] for line in said[0].splitlines()[1:]] == [
        ["0", "128", "sv57", "16"], ["1", "-", "sv57", "16"],
    ]  # fmt: skip
    target.close()
