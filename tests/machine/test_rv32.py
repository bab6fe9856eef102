"""Boards with RV32 harts: what runs there, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.errors import BoardError, LoaderError
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.isa.machinery.extension import enabled_rows
from rvplat.isa.rv_scalar import Zilsd
from rvplat.isa.rv_v import Zve32x
from rvplat.machine.boards.catalogue import base_extensions
from rvplat.machine.inspection.explain import explain
from rvplat.machine.inspection.mappings import mappings
from rvplat.machine.loading.fdt_read import from_dtb
from tests.lockstep.elf import write_elf

BASE, TOHOST, TEST = 0x8000_0000, 0x8000_1000, 0x10_0000
ROWS = {row.name: row.pattern.encode for row in enabled_rows(base_extensions(32))}
PAIRS = ROWS | {row.name: row.pattern.encode for row in Zilsd.of(32).instructions}
RV32 = {"harts.isa": "rv32imac_zicsr_zifencei_zicntr"}


def write(folder: Path, code: Sequence[int], bits: int = 32) -> Path:
    """A program of these instructions, which ends through tohost, or on virt by its test device."""
    path = folder / f"program{bits}"
    image = b"".join(word.to_bytes(4, "little") for word in code)
    path.write_bytes(write_elf(BASE, image, {"tohost": TOHOST, "fromhost": TOHOST + 64}, bits))
    return path


def store(address: int, value: int) -> list[int]:
    """Store a word, with t5 and t6."""
    words = []
    for register, number in ((30, address), (31, value)):
        low = (number & 0xFFF ^ 0x800) - 0x800
        upper = (number - low & 0xFFFF_FFFF ^ 0x8000_0000) - 0x8000_0000
        words += [ROWS["lui"](rd=register, imm=upper)]
        words += [ROWS["addi"](rd=register, rs1=register, imm=low)]
    return [*words, ROWS["sw"](rs1=30, rs2=31, imm=0), ROWS["jal"](rd=0, imm=0)]


ARITHMETIC = [
    ROWS["addi"](rd=10, rs1=0, imm=-1), ROWS["slli"](rd=11, rs1=10, shamt=31),
    ROWS["mulhu"](rd=12, rs1=10, rs2=10), ROWS["divu"](rd=13, rs1=10, rs2=0),
    ROWS["csrrs"](rd=14, csr=0x301, rs1=0), ROWS["csrrs"](rd=15, csr=0xB80, rs1=0),
]  # fmt: skip


def test_a_program_runs_on_spike_s_board(tmp_path: Path) -> None:
    program = write(tmp_path, [*ARITHMETIC, *store(TOHOST, 1)])
    with Machine.open("spike", program=program, settings=RV32) as machine:
        stop = machine.run(timeout_s=60)
        assert (stop.reason, stop.code) == ("off", 0)
        hart = machine.harts[0]
        assert hart.x[10:16] == [0xFFFF_FFFF, 1 << 31, 0xFFFF_FFFE, 0xFFFF_FFFF, 0x4014_1105, 0]
        assert hart.csr("misa.MXL") == 1
        assert "mstatush" in hart.csrs and "mcycleh" in hart.csrs


def test_the_reset_code_of_virt_has_loads_of_32_bits(tmp_path: Path) -> None:
    """a0 is the hart, a1 the device tree (QEMU's `virt`)."""
    copies = [ROWS["addi"](rd=18, rs1=10, imm=0), ROWS["addi"](rd=19, rs1=11, imm=0)]
    program = write(tmp_path, [*copies, *store(TEST, 0x5555)])
    with Machine.open("virt", program=program, settings=RV32) as machine:
        assert machine.run(timeout_s=60).reason == "off"
        hart = machine.harts[0]
        tree = hart.x["s3"]
        assert hart.x["s2"] == 0
        magic, size = (int.from_bytes(machine.memory.read(tree + n, 4), "big") for n in (0, 4))
        assert magic == 0xD00D_FEED
        cpus = from_dtb(bytes(machine.memory.read(tree, size))).get("cpus")
        node = cpus.get("cpu@0") if cpus is not None else None
        assert node is not None
        assert str(node.properties["riscv,isa"][0]).startswith("b'rv32imac_zicntr_zicsr")
        assert node.properties["riscv,isa-base"] == (b"rv32i\0",)


def test_vectors(tmp_path: Path) -> None:
    """A scalar is sign-extended to elements of 64 bits. The device tree has the extension."""
    v = {row.name: row.pattern.encode for one in (Zve32x,) for row in one.of(32).instructions}
    status = [ROWS["lui"](rd=5, imm=0x2000), ROWS["addi"](rd=5, rs1=5, imm=-0x600)]
    code = [
        *status, ROWS["csrrs"](rd=0, csr=0x300, rs1=5),
        v["vsetivli"](rd=10, uimm=2, vtypei=3 << 3), ROWS["addi"](rd=11, rs1=0, imm=-2),
        v["vmv.v.x"](vd=8, rs1=11), *store(TEST, 0x5555),
    ]  # fmt: skip
    program = write(tmp_path, code)
    with Machine.open("virt", program=program, settings={"harts.isa": "rv32gcv"}) as machine:
        assert machine.run(timeout_s=60).reason == "off"
        hart = machine.harts[0]
        assert hart.x["a0"] == 2
        assert hart.v[8] == (1 << 64) - 2 << 64 | (1 << 64) - 2
        assert hart.csr("vtype.vill") == 0


def test_registers_have_32_bits(tmp_path: Path) -> None:
    with Machine.open("spike", program=write(tmp_path, ARITHMETIC), settings=RV32) as machine:
        hart = machine.harts[0]
        hart.x["a0"] = -2
        assert hart.x["a0"] == 0xFFFF_FFFE
        with pytest.raises(ValueError, match="expected -0x80000000 to 0xffffffff"):
            hart.x["a0"] = 1 << 32
        with pytest.raises(ValueError, match="pc=0x100000000"):
            hart.pc = 1 << 32


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A stopped machine whose hart has everything that RV32 can have."""
    settings = {"harts.isa": "rv32imafdch_zicsr_zicntr_zihpm_sstc_svadu_smstateen"}
    with Machine.open("spike", program=write(tmp_path, ARITHMETIC), settings=settings) as made:
        yield made


def test_high_halves_of_csrs(machine: Machine) -> None:
    """A write of a half leaves the other ("Machine Status (mstatus and mstatush) Registers",
    "Hardware Performance Monitor", Sstc)."""
    hart = machine.harts[0]
    for low in ("mcycle", "stimecmp", "htimedelta", "minstret", "vstimecmp"):
        high = f"{low}h"
        hart.set_csr(low, 0x1234_5678)
        hart.set_csr(high, 0x9ABC_DEF0)
        assert (hart.csr(low), hart.csr(high)) == (0x1234_5678, 0x9ABC_DEF0)
        hart.set_csr(low, 5)
        assert (hart.csr(low), hart.csr(high)) == (5, 0x9ABC_DEF0)
    hart.set_csr("mstatus", 3 << 13)
    hart.set_csr("mstatush", 0xFFFF_FFFF)
    assert hart.csr("mstatush") == 1 << 6 | 1 << 7  # GVA and MPV; the manual's MBE and SBE are zero
    assert hart.csr("mstatus.SD") == hart.csr("mstatus") >> 31 == 1
    hart.set_csr("menvcfgh", 0xFFFF_FFFF)
    assert hart.csr("menvcfgh.STCE") == hart.csr("menvcfgh.ADUE") == 1
    hart.set_csr("mstateen0h", 0xFFFF_FFFF)
    assert hart.csr("mstateen0h") == 3 << 30 | 1 << 24  # SE0, ENVCFG, P1P13
    for name in ("medelegh", "hedelegh"):  # no exception has a code from 32 on
        hart.set_csr(name, 0xFFFF_FFFF)
        assert hart.csr(name) == 0


def test_the_roots_of_page_tables(machine: Machine) -> None:
    """MODE has one bit, ASID nine, VMID seven, PPN 22 ("Supervisor Address Translation and
    Protection (satp) Register", "Hypervisor Guest Address Translation and Protection Register")."""
    hart = machine.harts[0]
    for name, identity, most in (
        ("satp", "ASID", 511),
        ("vsatp", "ASID", 511),
        ("hgatp", "VMID", 127),
    ):
        hart.set_csr(name, 0xFFFF_FFFF)
        assert (hart.csr(f"{name}.MODE"), hart.csr(f"{name}.{identity}")) == (1, most)
        assert hart.csr(f"{name}.PPN") == (0x3F_FFFF if name != "hgatp" else 0x3F_FFFC)
        hart.set_csr(name, 0)
        assert hart.csr(name) == 0
    assert hart.csr("vsstatus") == hart.csr("hstatus") == 0  # neither UXL nor VSXL


def test_pmp_has_four_entries_in_a_register(machine: Machine) -> None:
    """pmpcfg0 to pmpcfg3, and addresses of 34 bits ("Physical Memory Protection CSRs")."""
    hart = machine.harts[0]
    hart.set_csr("pmpaddr15", 0xFFFF_FFFF)
    hart.set_csr("pmpcfg3", 0x1F00_0000)
    assert (hart.csr("pmpcfg3"), hart.csr("pmpcfg3.pmp15cfg")) == (0x1F00_0000, 0x1F)
    assert (hart.csr("pmpaddr15"), hart.csr("pmpcfg2")) == (0xFFFF_FFFF, 0)
    assert "pmpcfg1" in hart.csrs


def test_the_interrupt_bit_of_causes_is_the_highest(machine: Machine) -> None:
    """Bit XLEN-1 ("Machine Cause (mcause) Register")."""
    hart = machine.harts[0]
    machine.memory.write(BASE + 0x100, ROWS["jal"](rd=0, imm=0).to_bytes(4, "little"))
    hart.set_csr("mtvec", BASE + 0x100)
    hart.set_csr("mie", 1 << 1)
    hart.set_csr("mip", 1 << 1)
    hart.set_csr("mstatus.MIE", 1)
    machine.step(1)
    assert hart.csr("mcause") == 1 << 31 | 1
    assert (hart.csr("mcause.Interrupt"), hart.csr("mcause.Code")) == (1, 1)


def test_addresses_of_34_bits(machine: Machine) -> None:
    """Sv32 maps to more memory than 4 GiB; `explain` and lists of mappings know it ("Sv32:
    Page-Based 32-bit Virtual-Memory Systems")."""
    hart, memory = machine.harts[0], machine.memory
    table, root = BASE + 0x3000, BASE + 0x2000
    memory.write(root + 4, (table >> 12 << 10 | 1).to_bytes(4, "little"))
    memory.write(root + 8, (0x1C_0000 << 10 | 0xCF).to_bytes(4, "little"))  # 4 MiB at 0x1_c000_0000
    memory.write(table + 4 * 5, (0x8_0000 << 10 | 0xC7).to_bytes(4, "little"))
    hart.set_csr("satp", 1 << 31 | root >> 12)
    hart.priv = 1
    assert hart.translate(0x40_5123) == 0x8000_0123
    assert hart.translate(0x80_1234) == 0x1_C000_1234
    assert hart.translate(0x40_6000) is None
    found = [
        (one.va, one.size, one.pa) for one in mappings(machine, hart.plain, int(hart.plain.satp))
    ]
    assert found == [(0x40_5000, 4096, 0x8000_0000), (0x80_0000, 1 << 22, 0x1_C000_0000)]
    hart.set_csr("pmpaddr0", 0xFFFF_FFFF)
    hart.set_csr("pmpcfg0", 0x1F)
    told = explain(machine, 0x40_5123)
    assert (told.pa, [one.stage for one in told.entries]) == (0x8000_0123, ["S Sv32", "S Sv32"])


def test_both_stages_of_a_guest(machine: Machine) -> None:
    """Sv32x4: a guest physical address has 34 bits, so the root of the second stage has 16 KiB
    ("Guest Physical Address Translation")."""
    hart, memory = machine.harts[0], machine.memory

    def put(address: int, value: int) -> None:
        memory.write(address, value.to_bytes(4, "little"))

    large = BASE >> 12 << 10 | 0xDF  # 4 MiB of RAM, for user mode
    for gpa in (0, 1 << 32):
        put(BASE + 0x4000 + 4 * (gpa >> 22), large)
    put(BASE + 0x9000 + 4, 0xA << 10 | 1)  # the guest's root and its table, in its own addresses
    put(BASE + 0xA000 + 4 * 5, 0xB << 10 | 0xCF)
    put(BASE + 0xA000 + 4 * 6, (1 << 20 | 0xC) << 10 | 0xCF)
    put(BASE + 0xA000 + 4 * 7, (1 << 21) << 10 | 0xCF)
    hart.set_csr("hgatp", 1 << 31 | 3 << 22 | BASE + 0x4000 >> 12)
    hart.set_csr("vsatp", 1 << 31 | 9)
    hart.priv = 1
    hart.view.virt = 1
    assert hart.translate(0x40_5123) == BASE + 0xB123
    assert hart.translate(0x40_6456) == BASE + 0xC456
    assert hart.translate(0x40_7000) is None  # the second stage doesn't map 0x2_0000_0000
    assert hart.csr("hgatp.VMID") == 3


def test_a_trace_has_words_of_32_bits(machine: Machine, tmp_path: Path) -> None:
    """As Spike's commit log on RV32."""
    machine.run(max_instructions=2, trace=tmp_path / "trace")
    lines = (tmp_path / "trace").read_text().splitlines()
    assert lines[0] == "core   0: 3 0x80000000 (0xfff00513) x10 0xffffffff"
    assert lines[1] == "core   0: 3 0x80000004 (0x01f51593) x11 0x80000000"


def test_pairs_of_registers(tmp_path: Path) -> None:
    """Zilsd, "Use of x0 as operand": a load to x0 leaves x1, a store of x0 stores zeros."""
    code = [
        PAIRS["addi"](rd=1, rs1=0, imm=5), PAIRS["auipc"](rd=8, imm=0x1000),
        PAIRS["addi"](rd=10, rs1=0, imm=-1), PAIRS["addi"](rd=11, rs1=0, imm=7),
        PAIRS["sd"](rs1=8, rs2=10, imm=124), PAIRS["ld"](rd=12, rs1=8, imm=124),
        PAIRS["ld"](rd=0, rs1=8, imm=124), PAIRS["sd"](rs1=8, rs2=0, imm=124),
        PAIRS["lw"](rd=14, rs1=8, imm=124), PAIRS["lw"](rd=15, rs1=8, imm=128),
        PAIRS["sd"](rs1=8, rs2=10, imm=132), PAIRS["ld"](rd=8, rs1=8, imm=132),
    ]  # fmt: skip
    settings = {"harts.isa": "rv32imac_zicsr_zilsd"}
    with Machine.open("spike", program=write(tmp_path, code), settings=settings) as machine:
        machine.step(len(code))
        hart = machine.harts[0]
        assert hart.x[10:16] == [0xFFFF_FFFF, 7, 0xFFFF_FFFF, 7, 0, 0]
        assert (hart.x[1], hart.x[8], hart.x[9]) == (5, 0xFFFF_FFFF, 7)


@pytest.mark.parametrize("name", ["ld", "sd"])
def test_odd_registers_of_pairs_are_reserved(name: str) -> None:
    """Zilsd: "register numbers must be even"."""
    extensions = [one.of(32) for one in (*base_extensions(), Zilsd)]
    find = Disassembler(extensions).find
    bits = PAIRS[name](**{"rd" if name == "ld" else "rs2": 10}, rs1=8, imm=0)
    row = find(bits)
    assert row is not None and row.name == name
    assert find(bits | 1 << (7 if name == "ld" else 20)) is None


def test_after_the_last_instruction_comes_the_first(tmp_path: Path) -> None:
    """The address space is circular ("Memory"): a jump over its end goes to its begin."""
    code = [ROWS["addi"](rd=5, rs1=0, imm=-4), ROWS["jalr"](rd=1, rs1=5, imm=0)]
    settings = {**RV32, "memory.top.base": 0xFFFF_F000, "memory.top.size": 0x1000}
    settings |= {"memory.low.base": 0, "memory.low.size": 0x1000, "memory.ram.size": 1 << 20}
    with Machine.open("spike", program=write(tmp_path, code), settings=settings) as machine:
        machine.memory.write(0xFFFF_FFFC, ROWS["addi"](rd=6, rs1=0, imm=7).to_bytes(4, "little"))
        last = store(TOHOST, 1)
        machine.memory.write(0, b"".join(word.to_bytes(4, "little") for word in last))
        assert machine.run(timeout_s=60).reason == "off"
        assert machine.harts[0].x["t1"] == 7


@pytest.mark.parametrize(
    ("isa", "bits", "message"),
    [
        ("rv32i", 64, "a 64-bit ELF file; expected one for 32-bit RISC-V (harts.isa says RV32)"),
        ("rv64i", 32, "a 32-bit ELF file; expected one for 64-bit RISC-V (harts.isa says RV64)"),
    ],
)  # fmt: skip
def test_a_program_for_another_width_is_refused(
    tmp_path: Path, isa: str, bits: int, message: str
) -> None:
    program = write(tmp_path, ARITHMETIC, bits)
    with pytest.raises(LoaderError) as raised:
        Machine.open("spike", program=program, settings={"harts.isa": isa})
    assert str(raised.value) == f"{program}: {message}"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"harts.isa": "rv32imac", "harts.mmu": "sv39"},
         'harts.mmu: found "sv39" beside RV32 in harts.isa, expected one of bare, sv32'),
        ({"harts.isa": "rv64imac", "harts.mmu": "sv32"},
         'found "sv32" beside RV64 in harts.isa, expected one of bare, sv39, sv48, sv57'),
        ({"harts.isa": "rv32imac_svnapot"}, "found Svnapot on RV32, expected Svnapot on RV64 only"),
        ({"harts.isa": "rv64imafc_zcf"}, "found Zcf on RV64, expected Zcf on RV32 only"),
        ({"harts.isa": "rv64imac_zilsd"}, "found Zilsd on RV64, expected Zilsd on RV32 only"),
        ({"harts.isa": "rv32imafc_zclsd"}, "Zclsd beside Zcf, which C and F imply"),
    ],
)  # fmt: skip
def test_contradictions_are_refused(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(BoardError) as raised:
        Machine.open("spike", settings=changes)
    assert fault in str(raised.value)
