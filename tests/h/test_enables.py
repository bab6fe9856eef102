"""henvcfg and the registers of Smstateen, which control what a guest may use."""

from __future__ import annotations

import pytest

from tests.h.bench import ALL_MODES, ONES, Bench, csr_word
from tests.h.conftest import MakeBench
from tests.h.section import HCOUNTEREN, HENVCFG, STATEEN, STATEEN0, section

FIOM, CBIE, CBCFE, CBZE = 1, 3 << 4, 1 << 6, 1 << 7
TM = 1 << 1
ADUE, PBMTE, STCE = 1 << 61, 1 << 62, 1 << 63
PMM = 3 << 32
ENVCFG_LOW = FIOM | CBIE | CBCFE | CBZE | PMM


@section("Machine Environment Configuration (menvcfg) Register")
def test_henvcfg_fields_need_menvcfgs(bench: Bench) -> None:
    """STCE, PBMTE and ADUE are read-only zero while they are zero in menvcfg."""
    bench["henvcfg"] = ONES
    assert bench["henvcfg"] == ENVCFG_LOW
    for bit in (61, 62, 63):
        bench["menvcfg"] = 1 << bit
        bench["henvcfg"] = ONES
        assert bench["henvcfg"] == ENVCFG_LOW | 1 << bit
        bench["menvcfg"] = 0
        assert bench["henvcfg"] == ENVCFG_LOW


@section("Machine Environment Configuration (menvcfg) Register")
@pytest.mark.parametrize("field", [STCE, PBMTE, ADUE])
def test_a_write_of_henvcfg_leaves_what_is_read_only_zero(bench: Bench, field: int) -> None:
    """The field has its former value again when menvcfg enables it."""
    for value in (ONES, 0):
        bench["menvcfg"] = ONES
        bench["henvcfg"] = value
        bench["menvcfg"] = ONES & ~field
        bench["henvcfg"] = ~value & ONES
        assert bench["henvcfg"] & field == 0
        bench["menvcfg"] = ONES
        assert bench["henvcfg"] & field == value & field


@section(HENVCFG)
@pytest.mark.parametrize(
    ("extension", "field"),
    [("sstc", STCE), ("svpbmt", PBMTE), ("svadu", ADUE), ("zicboz", CBZE),
     ("zicbom", CBCFE | CBIE)],
)  # fmt: skip
def test_henvcfg_fields_need_their_extensions(make: MakeBench, extension: str, field: int) -> None:
    """ "If ... is not implemented, ... is read-only zero"."""
    bench = make(without=extension)
    bench["menvcfg"] = bench["henvcfg"] = ONES
    assert bench["henvcfg"] == (ENVCFG_LOW | ADUE | PBMTE | STCE) & ~field


@section(HENVCFG)
@pytest.mark.parametrize("value", range(4))
def test_cbie_is_warl(bench: Bench, value: int) -> None:
    """0b10 is reserved."""
    for name in ("menvcfg", "henvcfg"):
        bench[name] = value << 4
    assert bench["henvcfg"] >> 4 & 3 == (0 if value == 2 else value)


OPEN = {"menvcfg": STCE, "mcounteren": TM, "henvcfg": STCE, "hcounteren": TM}


@section(HCOUNTEREN)
@pytest.mark.parametrize("mode", ALL_MODES)
@pytest.mark.parametrize("closed", ["", *OPEN])
@pytest.mark.parametrize("op", ["csrrw", "csrrs"])
def test_who_may_access_stimecmp(bench: Bench, mode: str, closed: str, op: str) -> None:
    """Clear STCE and TM bits of M mode deny all lower modes access, those of HS mode its guests."""
    for name, value in OPEN.items():
        bench[name] = value if name != closed else ONES & ~value
    expected = {"U": "illegal", "VU": "virtual"}.get(mode, "ok")
    if closed.startswith("m") and mode != "M":
        expected = "illegal"
    elif closed.startswith("h") and mode == "VS":
        expected = "virtual"
    assert bench.outcome(csr_word(op, "stimecmp", rs1=0), mode) == expected


# --- Smstateen ----------------------------------------------------------------------------------


@section(STATEEN)
def test_hstateen_shows_zero_where_mstateen_does(bench: Bench) -> None:
    bench["mstateen0"] = 1 << 63
    bench["hstateen0"] = ONES
    assert bench["hstateen0"] == 1 << 63
    bench["mstateen0"] = 3 << 62
    assert bench["hstateen0"] == 1 << 63, "bits that were read-only zero were not written"
    bench["hstateen0"] = ONES
    assert bench["hstateen0"] == 3 << 62
    bench["mstateen0"] = 0
    assert bench["hstateen0"] == 0


@section(STATEEN)
@pytest.mark.parametrize("i", range(4))
def test_bit_63_of_mstateen_guards_hstateen_and_sstateen(bench: Bench, i: int) -> None:
    for name, guest in ((f"hstateen{i}", "illegal"), (f"sstateen{i}", "illegal")):
        bits = csr_word("csrrs", name, rs1=0)
        assert [bench.outcome(bits, mode) for mode in ("M", "HS", "VS")] == ["ok", "illegal", guest]
    bench[f"mstateen{i}"] = 1 << 63
    sstateen = csr_word("csrrs", f"sstateen{i}", rs1=0)
    assert bench.outcome(sstateen, "HS") == "ok"
    assert bench.outcome(sstateen, "VS") == "virtual"
    bench[f"hstateen{i}"] = 1 << 63
    assert bench.outcome(sstateen, "VS") == "ok"
    assert bench.outcome(sstateen, "VU") == "virtual"
    assert bench.outcome(sstateen, "U") == "illegal"


@section(STATEEN0)
def test_envcfg_of_mstateen_and_hstateen(bench: Bench) -> None:
    senvcfg, henvcfg = (csr_word("csrrs", name, rs1=0) for name in ("senvcfg", "henvcfg"))
    assert [bench.outcome(senvcfg, m) for m in ALL_MODES] == ["ok", *["illegal"] * 4]
    assert [bench.outcome(henvcfg, m) for m in ALL_MODES] == ["ok", *["illegal"] * 4]
    bench["mstateen0"] = 1 << 62
    found = [bench.outcome(senvcfg, m) for m in ALL_MODES]
    assert found == ["ok", "ok", "illegal", "virtual", "virtual"]
    found = [bench.outcome(henvcfg, m) for m in ALL_MODES]
    assert found == ["ok", "ok", "illegal", "virtual", "virtual"]
    bench["hstateen0"] = 1 << 62
    found = [bench.outcome(senvcfg, m) for m in ALL_MODES]
    assert found == ["ok", "ok", "illegal", "ok", "virtual"]


@section(STATEEN0)
@pytest.mark.parametrize("register", ["mstateen0", "hstateen0"])
@pytest.mark.parametrize(
    ("bit", "name"), [(63, "hstateen0"), (63, "sstateen0"), (62, "senvcfg"), (62, "henvcfg")]
)
def test_each_bit_guards_its_own_registers(
    bench: Bench, register: str, bit: int, name: str
) -> None:
    """No other bit gives access to them."""
    bench["mstateen0"] = bench["hstateen0"] = ONES
    bench[register] = ONES & ~(1 << bit)
    bits = csr_word("csrrs", name, rs1=0)
    by_m = register == "mstateen0"
    assert bench.outcome(bits, "M") == "ok"
    assert bench.outcome(bits, "HS") == ("illegal" if by_m else "ok")
    assert bench.outcome(bits, "VS") == ("illegal" if by_m else "virtual")


@section(STATEEN)
def test_without_ssstateen_nothing_is_guarded(make: MakeBench) -> None:
    """ "When this extension is not implemented, all state ... is accessible"."""
    bench = make(without="smstateen ssstateen sha")
    for mode in ("M", "HS", "VS"):
        assert bench.outcome(csr_word("csrrs", "senvcfg", rs1=0), mode) == "ok"
        assert bench.outcome(csr_word("csrrs", "sstateen0", rs1=0), mode) == "illegal"


@section(STATEEN)
def test_without_smstateen_m_mode_restricts_nothing(make: MakeBench) -> None:
    bench = make(without="smstateen")
    senvcfg = csr_word("csrrs", "senvcfg", rs1=0)
    assert bench.outcome(senvcfg, "HS") == "ok"
    assert bench.outcome(senvcfg, "VS") == "virtual"
    bench["hstateen0"] = bench["hstateen1"] = ONES
    assert (bench["hstateen0"], bench["hstateen1"]) == (3 << 62 | 1 << 60 | 1 << 57, 1 << 63)
    assert bench.outcome(senvcfg, "VS") == "ok"
    assert bench.outcome(csr_word("csrrs", "mstateen0", rs1=0), "M") == "illegal"


@section(STATEEN)
@pytest.mark.parametrize("i", range(4))
def test_bit_63_of_hstateen_is_writable(bench: Bench, i: int) -> None:
    """After reset every mstateen is zero."""
    assert bench[f"mstateen{i}"] == 0
    bench[f"mstateen{i}"] = ONES
    for value in (ONES, 0):
        bench[f"hstateen{i}"] = value
        assert bench[f"hstateen{i}"] >> 63 == value >> 63
