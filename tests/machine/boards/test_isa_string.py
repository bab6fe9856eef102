"""ISA strings: parsing, completion, faults and output."""

from __future__ import annotations

import pytest

from rvplat import Machine
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.profiles import PROFILES
from rvplat.machine.boards.catalogue import Catalogue, shipped_extensions
from rvplat.machine.boards.isa_string import IsaFault, isa_string, order, resolve_isa, split_isa


@pytest.mark.parametrize(
    ("isa", "names"),
    [
        ("rv64i", ["i"]),
        ("RV64IMAC", ["i", "m", "a", "c"]),
        ("rv64imaczifencei", ["i", "m", "a", "c", "zifencei"]),
        ("rv64gc_zba_svinval", ["g", "c", "zba", "svinval"]),
        ("rv64i_m_xlamp", ["i", "m", "xlamp"]),
        ("rva22s64", []),
        ("RVA22S64_v_Zfh", ["v", "zfh"]),
    ],
)
def test_split(isa: str, names: list[str]) -> None:
    assert split_isa(isa) == names


@pytest.mark.parametrize(
    ("isa", "found", "expected"),
    [
        ("", '""', 'an ISA string such as "rv64imafdc_zicsr"'),
        ("rv64", '"rv64"', 'an ISA string such as "rv64imafdc_zicsr"'),
        ("rv64mi", '"rv64mi"', 'an ISA string such as "rv64imafdc_zicsr"'),
        ("rv128i", '"rv128i"', 'an ISA string such as "rv64imafdc_zicsr"'),
        ("rv64i__zba", '"" in "rv64i__zba"', "letters, or a name with z, s or x first"),
        ("rv64i_m2p0", '"m2p0" in "rv64i_m2p0"', "letters, or a name with z, s or x first"),
        ("rv32", '"rv32"', 'an ISA string such as "rv64imafdc_zicsr"'),
    ],
)
def test_no_isa_string(isa: str, found: str, expected: str) -> None:
    assert split_isa(isa) == IsaFault(found, expected)


@pytest.mark.parametrize(
    ("isa", "found", "expected"),
    [
        (
            "rva22u64_rva22s64", 'two profiles, rva22u64 and rva22s64, in "rva22u64_rva22s64"',
            "one profile, as the first part",
        ),
        (
            "rv64gc_rva22s64", 'rva22s64 in "rv64gc_rva22s64"', "one profile, as the first part"
        ),
        ("rva22s64v", 'the unknown profile "rva22s64v"', f"one of {', '.join(PROFILES)}"),
        ("rva24s64", 'the unknown profile "rva24s64"', f"one of {', '.join(PROFILES)}"),
        ("rva22s64_", '"" in "rva22s64_"', "letters, or a name with z, s or x first"),
    ],
)  # fmt: skip
def test_a_string_with_no_profile_or_too_many(isa: str, found: str, expected: str) -> None:
    fault = split_isa(isa)
    assert isinstance(fault, IsaFault)
    assert (fault.found, fault.expected) == (found, expected)


def test_what_is_required_and_implied_comes_with_it(catalogue: Catalogue) -> None:
    zcd = Extension("Zcd", "1.0", "ratified", implied_by=("C", "D"))
    known = {**catalogue.extensions, "Zcd": zcd}
    names = [one.name for one in resolve_isa("rv64id", known, False, ("Sm", "S", "U"))[0]]
    assert names == ["I", "F", "D", "S", "U", "Zicsr", "Sm"]
    assert "Zcd" in [one.name for one in resolve_isa("rv64idc", known, False)[0]]


@pytest.mark.parametrize("isa", ["rva23s64", "rv64gch_sha", "rv64gc_ssstateen"])
def test_ssstateen_comes_with_smstateen(isa: str) -> None:
    """Every hart has M mode, whose software enables the state. Linux knows only Smstateen: without
    it in the device tree, KVM left hstateen0 zero, and guests could not write senvcfg."""
    with Machine.open("virt", settings={"harts.isa": isa}) as machine:
        assert "Smstateen" in [one.name for one in machine.extensions]


def test_canonical_order() -> None:
    names = ["svinval", "xlamp", "c", "zba", "m", "zicsr", "i", "zfa", "d", "sstc", "b", "zam", "a"]
    assert sorted(names, key=order) == [
        "i", "m", "a", "d", "c", "b", "zicsr", "zam", "zfa", "zba", "sstc", "svinval", "xlamp",
    ]  # fmt: skip


def test_written_as_it_is_read(catalogue: Catalogue) -> None:
    extensions, faults = resolve_isa("rv64imac_zba_zicsr", catalogue.extensions, False)
    assert not faults
    assert isa_string(extensions) == "rv64imac_zicsr_zba"


def test_drafts_are_asked_for(catalogue: Catalogue) -> None:
    assert resolve_isa("rv64i_zdraft", catalogue.extensions, True)[1] == []
    assert resolve_isa("rv64i_zdraft", catalogue.extensions, False)[1] == [
        IsaFault("Zdraft 1.0, which is a draft", "allow_draft = true beside it, or no draft")
    ]


@pytest.mark.parametrize(
    ("isa", "found", "expected"),
    [
        ("rv64imac_zilsd", "Zilsd on RV64", "Zilsd on RV32 only"),
        ("rv32imac_ssu64xl", "Ssu64xl on RV32", "Ssu64xl on RV64 only"),
        ("rv32imac_sv39", "Sv39 on RV32", "Sv39 on RV64 only"),
        ("rv32imac_svpbmt", "Svpbmt on RV32", "Svpbmt on RV64 only"),
        ("rv32imac_supm", "Supm on RV32", "Supm on RV64 only"),
    ],
)
def test_an_extension_of_the_other_width_is_refused(isa: str, found: str, expected: str) -> None:
    assert IsaFault(found, expected) in resolve_isa(isa, shipped_extensions(), False)[1]


@pytest.mark.parametrize(
    ("isa", "brought"), [("rv64imac_zve32f", "F"), ("rv64imac_zve64d", "D"), ("rv64imac_v", "D")]
)
def test_vectors_of_floats_bring_the_scalar_ones(isa: str, brought: str) -> None:
    """Unprivileged, "Zve*: Vector Extensions for Embedded Processors": each requires the scalar
    extension. A name implies what it requires, as in compilers."""
    found, faults = resolve_isa(isa, shipped_extensions(), False)
    assert brought in [one.name for one in found] and not faults


def test_the_parts_of_b_are_b() -> None:
    """Unprivileged, "B Extension": B is Zba, Zbb and Zbs."""
    found, _ = resolve_isa("rv64i_zba_zbb_zbs", shipped_extensions(), False)
    assert "B" in [one.name for one in found]
    found, _ = resolve_isa("rv64i_zba_zbb", shipped_extensions(), False)
    assert "B" not in [one.name for one in found]
