"""CSR access and the legal values of M mode's and S mode's registers."""

from __future__ import annotations

import pytest

from rvplat.engine.architecture import Architecture
from rvplat.isa import zicsr
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.privileged import MACHINE, SUPERVISOR, USER, EnvCfg, Irq, Status
from tests.hart.privileged_bench import BITS, BY_NAME, EXTENSIONS, PC, Bench, bench, make

__all__ = ["bench"]

ONES = (1 << 64) - 1
UXL_SXL = Status.UXL_64 | Status.SXL_64


# --- Zicsr --------------------------------------------------------------------------------------


def test_swap(bench: Bench) -> None:
    bench.hart.mscratch = 0x1111
    bench.hart.x[5] = 0x2222
    bench.run(zicsr.csrrw, rd=5, rs1=5, csr=0x340)
    assert (bench.hart.x[5], bench.hart.mscratch) == (0x1111, 0x2222)
    bench.run(zicsr.csrrw, rd=5, rs1=0, csr=0x340)
    assert (bench.hart.x[5], bench.hart.mscratch) == (0x2222, 0), "rs1 = x0 writes zero"


def test_set_and_clear(bench: Bench) -> None:
    bench.hart.mscratch = 0b1100
    assert bench.set("mscratch", 0b0110) == 0b1100
    assert bench.clear("mscratch", 0b1010) == 0b1110
    assert bench.hart.mscratch == 0b0100


def test_immediate_forms(bench: Bench) -> None:
    bench.hart.mscratch = ONES
    bench.run(zicsr.csrrwi, rd=5, csr=0x340, zimm=31)
    assert (bench.hart.x[5], bench.hart.mscratch) == (ONES, 31)
    bench.run(zicsr.csrrci, rd=5, csr=0x340, zimm=6)
    assert (bench.hart.x[5], bench.hart.mscratch) == (31, 25)
    bench.run(zicsr.csrrsi, rd=5, csr=0x340, zimm=2)
    assert (bench.hart.x[5], bench.hart.mscratch) == (25, 27)


@pytest.mark.parametrize("row", [zicsr.csrrs, zicsr.csrrc])
def test_x0_does_not_write_so_read_only_registers_can_be_read(bench: Bench, row: object) -> None:
    bench.run(row, rd=5, rs1=0, csr=0xF14)  # type: ignore[arg-type]
    assert bench.hart.pc == PC + 4
    bench.enter(MACHINE)
    bench.run(row, rd=5, rs1=7, csr=0xF14)  # type: ignore[arg-type]
    assert bench.illegal(), "x7 is 0, and yet it is a write"


@pytest.mark.parametrize("row", [zicsr.csrrsi, zicsr.csrrci])
def test_a_zero_immediate_does_not_write(bench: Bench, row: object) -> None:
    bench.run(row, rd=5, zimm=0, csr=0xF14)  # type: ignore[arg-type]
    assert bench.hart.pc == PC + 4
    bench.enter(MACHINE)
    bench.run(row, rd=5, zimm=1, csr=0xF14)  # type: ignore[arg-type]
    assert bench.illegal()


def test_a_swap_always_writes(bench: Bench) -> None:
    bench.run(zicsr.csrrw, rd=5, rs1=0, csr=0xF14)
    assert bench.illegal()
    bench.enter(MACHINE)
    bench.run(zicsr.csrrwi, rd=5, zimm=0, csr=0xF14)
    assert bench.illegal()


def test_a_refused_access_changes_nothing(bench: Bench) -> None:
    bench.hart.x[5] = 0x77
    bench.enter(USER)
    bench.run(zicsr.csrrw, rd=5, rs1=0, csr=0x340)
    assert bench.trapped(2, BITS)
    assert bench.hart.x[5] == 0x77


# --- who may access what ------------------------------------------------------------------------


@pytest.mark.parametrize("priv", [USER, SUPERVISOR, MACHINE])
@pytest.mark.parametrize("row", [r for r in BY_NAME.values() if r.access is None], ids=str)
def test_the_number_says_the_lowest_mode(bench: Bench, row: object, priv: int) -> None:
    name: str = row.name  # type: ignore[attr-defined]
    bench.enter(priv)
    bench.read(name)
    assert bench.illegal() is (priv < BY_NAME[name].privilege)


ABSENT = {
    "pmpaddr16": 0x3C0, "scountovf": 0xDA0, "mtopi": 0xFB0, "mstateen0": 0x30C,
    "scountinhibit": 0x120, "tselect": 0x7A0, "dcsr": 0x7B0, "mseccfg": 0x747, "mcycleh": 0xB80,
    "time's neighbour": 0xB01, "hstatus": 0x600, "mstatush": 0x310, "nothing": 0x000,
}  # fmt: skip


@pytest.mark.parametrize("name", ABSENT)
@pytest.mark.parametrize("priv", [USER, SUPERVISOR, MACHINE])
def test_absent_registers_are_illegal(bench: Bench, name: str, priv: int) -> None:
    bench.enter(priv)
    bench.run(zicsr.csrrs, rd=5, rs1=0, csr=ABSENT[name])
    assert bench.illegal()


@pytest.mark.parametrize(
    ("without", "names"),
    [
        ("s sv39 sstc", "sstatus sie stvec sscratch medeleg mideleg scounteren senvcfg"),
        ("u s sv39 sstc", "mcounteren menvcfg"),
        ("sstc", "stimecmp"),
    ],
)
def test_registers_of_modes_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, without: str, names: str
) -> None:
    bench = make(monkeypatch, without=without)
    for name in names.split():
        bench.enter(MACHINE)
        bench.read(name)
        assert bench.illegal(), name


# --- rows ---------------------------------------------------------------------------------------


def test_a_number_can_be_taken_once() -> None:
    extension = Extension("Xtwice", version="1.0", standing="draft")
    extension.csr(0x340, "mine")
    with pytest.raises(TypeError, match="CSR 0x340 is mscratch, and mine too"):
        _ = Architecture(EXTENSIONS, (extension,)).csrs


def test_a_row_with_a_mask_keeps_its_read_only_bits(bench: Bench) -> None:
    row = BY_NAME["mscratch"]
    from rvplat.isa.machinery.csr_rows import Csr
    from rvplat.lang import u32, u64

    masked = Csr(0x7C0, "mscratch", "Xmask", writable=0xFF)
    bench.hart.mscratch = 0x1234
    masked.writer(bench.hart, u64(0xABCD), u32(row.number))
    assert bench.hart.mscratch == 0x12CD


# --- mstatus and sstatus ------------------------------------------------------------------------


def test_mstatus_at_reset(bench: Bench) -> None:
    assert bench.read("mstatus") == UXL_SXL


def test_mstatus_takes_its_fields_only(bench: Bench) -> None:
    bench.write("mstatus", ONES)
    assert bench.read("mstatus") == (
        UXL_SXL | Status.SD | Status.FS | Status.MPP | Status.SIE | Status.MIE | Status.SPIE
        | Status.MPIE | Status.SPP | Status.MPRV | Status.SUM | Status.MXR | Status.TVM | Status.TW
        | Status.TSR
    )  # fmt: skip
    bench.write("mstatus", 0)
    assert bench.read("mstatus") == UXL_SXL


def test_mpp_never_holds_the_reserved_mode(bench: Bench) -> None:
    for mode, held in [(0, 0), (1, 1), (2, 0), (3, 3)]:
        bench.write("mstatus", mode << Status.MPP_SHIFT)
        assert (bench.read("mstatus") & Status.MPP) >> Status.MPP_SHIFT == held


@pytest.mark.parametrize(
    ("without", "zero"),
    [
        ("sv39", Status.SUM | Status.MXR | Status.TVM),
        ("s sv39 sstc", Status.SIE | Status.SPIE | Status.SPP | Status.TSR | Status.SUM
         | Status.MXR | Status.TVM | 3 << 34),
        ("u s sv39 sstc", Status.MPRV | Status.TW | Status.UXL | 3 << 34),
        ("u s sv39 sstc f d", Status.FS | Status.SD),
    ],
)  # fmt: skip
def test_mstatus_lacks_what_the_hart_lacks(
    monkeypatch: pytest.MonkeyPatch, without: str, zero: int
) -> None:
    bench = make(monkeypatch, without=without)
    bench.write("mstatus", ONES)
    assert bench.read("mstatus") & zero == 0


@pytest.mark.parametrize(
    ("without", "held"), [("s sv39 sstc", [0, 0, 0, 3]), ("u s sv39 sstc", [3, 3, 3, 3])]
)
def test_mpp_holds_modes_that_are_there(
    monkeypatch: pytest.MonkeyPatch, without: str, held: list[int]
) -> None:
    bench = make(monkeypatch, without=without)
    for mode in range(4):
        bench.write("mstatus", mode << Status.MPP_SHIFT)
        assert (bench.read("mstatus") & Status.MPP) >> Status.MPP_SHIFT == held[mode]


@pytest.mark.parametrize("fs", [0, 1, 2, 3])
def test_sd_sums_up_fs(bench: Bench, fs: int) -> None:
    bench.write("mstatus", fs << 13)
    for name in ("mstatus", "sstatus"):
        assert bench.read(name) & (Status.SD | Status.FS) == (fs << 13) | (
            Status.SD if fs == 3 else 0
        )


def test_sstatus_is_a_view_of_mstatus(bench: Bench) -> None:
    bench.write("mstatus", ONES)
    view = (
        Status.SD | Status.UXL_64 | Status.MXR | Status.SUM | Status.FS | Status.SPP | Status.SPIE
        | Status.SIE
    )  # fmt: skip
    assert bench.read("sstatus") == view
    bench.write("sstatus", 0)
    assert bench.read("sstatus") == Status.UXL_64
    kept = bench.read("mstatus")
    assert kept & Status.TVM and kept & Status.MPP == Status.MPP and kept & Status.MIE
    bench.write("mstatus", 0)
    bench.write("sstatus", ONES)
    assert bench.read("mstatus") == view | UXL_SXL


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (0, Status.SUM, True),
        (Status.MXR, 0, True),
        (0, Status.MPRV, True),
        (0, Status.MPP, False),
        (Status.MPRV, Status.MPRV | Status.MPP, True),
        (0, Status.SIE | Status.FS | Status.SPP, False),
    ],
)
def test_which_fields_change_the_context_of_loads(
    bench: Bench, before: int, after: int, changes: bool
) -> None:
    bench.put("mstatus", before)
    bench.contexts = 0
    bench.write("mstatus", after)
    assert (bench.contexts != 0) is changes


def test_a_change_of_fs_makes_floating_point_look_again(bench: Bench) -> None:
    bench.hart.fp_ready = 7
    bench.write("mstatus", Status.SIE)
    assert bench.hart.fp_ready == 7
    bench.write("sstatus", Status.FS)
    assert bench.hart.fp_ready == 0


# --- others -------------------------------------------------------------------------------------


def test_misa(bench: Bench) -> None:
    letters = sum(1 << ord(c) - ord("a") for c in "abcdfimsu")
    assert bench.read("misa") == 2 << 62 | letters
    bench.write("misa", 0)
    assert bench.read("misa") == 2 << 62 | letters


def test_misa_b_is_its_three_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = make(monkeypatch, without="zbs s u sv39 sstc")
    assert bench.read("misa") & (1 << 1 | 1 << 18 | 1 << 20) == 0


def test_identity(bench: Bench) -> None:
    bench.hart.hart_id = 6
    assert bench.read("mhartid") == 6
    for name in ("mvendorid", "marchid", "mimpid", "mconfigptr"):
        assert bench.read(name) == 0


@pytest.mark.parametrize("name", ["mtvec", "stvec"])
def test_vector_modes_above_one_are_reserved(bench: Bench, name: str) -> None:
    for written, held in [(0x1000, 0x1000), (0x1001, 0x1001), (0x1002, 0x1000), (0x1003, 0x1001)]:
        bench.write(name, written)
        assert bench.read(name) == held


@pytest.mark.parametrize("name", ["mepc", "sepc"])
@pytest.mark.parametrize(("without", "held"), [("", ONES - 1), ("c", ONES - 3)])
def test_epc_is_aligned(
    monkeypatch: pytest.MonkeyPatch, name: str, without: str, held: int
) -> None:
    bench = make(monkeypatch, without=without)
    bench.write(name, ONES)
    assert bench.read(name) == held


@pytest.mark.parametrize("name", ["mscratch", "sscratch", "mcause", "scause", "mtval", "stval"])
def test_registers_that_hold_anything(bench: Bench, name: str) -> None:
    for value in (ONES, 0x8000_0000_0000_0007, 0):
        bench.write(name, value)
        assert bench.read(name) == value


@pytest.mark.parametrize(
    ("without", "mask"),
    [
        ("", 0xB3FE),
        ("c", 0xB3FF),
        ("sv39", 0x03FE),
    ],
)
def test_medeleg(monkeypatch: pytest.MonkeyPatch, without: str, mask: int) -> None:
    bench = make(monkeypatch, without=without)
    bench.write("medeleg", ONES)
    assert bench.read("medeleg") == mask


def test_mideleg_and_mie(bench: Bench) -> None:
    bench.write("mideleg", ONES)
    bench.write("mie", ONES)
    assert bench.read("mideleg") == Irq.SUPERVISOR
    assert bench.read("mie") == Irq.SUPERVISOR | Irq.MACHINE


FIELDS = {
    "zicbom": EnvCfg.CBIE | EnvCfg.CBCFE, "zicboz": EnvCfg.CBZE, "svadu": EnvCfg.ADUE,
    "svpbmt": EnvCfg.PBMTE, "sstc": EnvCfg.STCE,
}  # fmt: skip


@pytest.mark.parametrize("without", ["", *FIELDS])
def test_menvcfg_and_senvcfg(monkeypatch: pytest.MonkeyPatch, without: str) -> None:
    bench = make(monkeypatch, without=without)
    every = EnvCfg.FIOM | sum(bits for name, bits in FIELDS.items() if name != without)
    bench.write("menvcfg", ONES)
    assert bench.read("menvcfg") == every
    bench.write("senvcfg", ONES)
    low = EnvCfg.FIOM | EnvCfg.CBIE | EnvCfg.CBCFE | EnvCfg.CBZE
    assert bench.read("senvcfg") == every & low


@pytest.mark.parametrize("name", ["menvcfg", "senvcfg"])
def test_cbie_two_is_reserved(bench: Bench, name: str) -> None:
    for written, held in [(0, 0), (1, 1), (2, 0), (3, 3)]:
        bench.write(name, written << EnvCfg.CBIE_SHIFT)
        assert bench.read(name) == held << EnvCfg.CBIE_SHIFT
