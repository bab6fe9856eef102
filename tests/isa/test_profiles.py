"""The profiles, against what the manual's texts of them list."""

from __future__ import annotations

import pytest

from rvplat.isa.machinery.profiles import PROFILES

RVA20U64 = "M A F D C Zicsr Zicntr Ziccif Ziccrse Ziccamoa Za128rs Zicclsm"
RVA22U64 = (
    "M A F D C Zicsr Zicntr Ziccif Ziccrse Ziccamoa Zicclsm Za64rs B Zihpm Zihintpause Zic64b "
    "Zicbom Zicbop Zicboz Zfhmin Zkt"
)
RVA23U64 = (
    "M A F D C B Zicsr Zicntr Zihpm Ziccif Ziccrse Ziccamoa Zicclsm Za64rs Zihintpause Zic64b "
    "Zicbom Zicbop Zicboz Zfhmin Zkt V Zvfhmin Zvbb Zvkt Zihintntl Zicond Zimop Zcmop Zcb Zfa "
    "Zawrs Supm"
)
RVB23U64 = (
    "M A F D C B Zicsr Zicntr Zihpm Ziccif Ziccrse Ziccamoa Zicclsm Za64rs Zihintpause Zic64b "
    "Zicbom Zicbop Zicboz Zkt Zihintntl Zicond Zimop Zcmop Zcb Zfa Zawrs"
)
RVA23S64 = (
    "Zifencei Ss1p13 Svbare Sv39 Svade Ssccptr Sstvecd Sstvala Sscounterenw Svpbmt Svinval Svnapot "
    "Sstc Sscofpmf Ssnpm Ssu64xl Sha"
)
RVB23S64 = (
    "Zifencei Ss1p13 Svnapot Svbare Sv39 Svade Ssccptr Sstvecd Sstvala Sscounterenw Svpbmt Svinval "
    "Sstc Sscofpmf Ssu64xl"
)
MANDATORY = {
    "rva20u64": RVA20U64,
    "rva20s64": f"{RVA20U64} Zifencei Ss1p11 Svbare Sv39 Svade Ssccptr Sstvecd Sstvala",
    "rva22u64": RVA22U64,
    "rva22s64": f"{RVA22U64} Zifencei Ss1p12 Svbare Sv39 Svade Ssccptr Sstvecd Sstvala "
    "Sscounterenw Svpbmt Svinval",
    "rva23u64": RVA23U64,
    "rva23s64": f"{RVA23U64} {RVA23S64}",
    "rvb23u64": RVB23U64,
    "rvb23s64": f"{RVB23U64} {RVB23S64}",
}


@pytest.mark.parametrize("name", MANDATORY)
def test_the_mandatory_extensions_of_a_profile(name: str) -> None:
    assert sorted(PROFILES[name].mandatory) == sorted(["I", *MANDATORY[name].split()])


def test_these_are_all_profiles() -> None:
    assert list(PROFILES) == list(MANDATORY)
