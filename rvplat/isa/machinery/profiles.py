"""The RVA and RVB profiles (RISC-V Profiles; "RVA20", "RVA22", "RVA23" and "RVB23").

A profile says which extensions harts must have, and which they may have in addition. Its name is an
ISA string: `rva23s64`, or `rva23s64_zvkng` with one of its options.
"""

from __future__ import annotations

from rvplat.frozen import frozen


@frozen
class Profile:
    """A profile: the extensions that it demands, those of the profiles that it includes among them,
    and its options. `ratified` is the year and month."""

    name: str
    ratified: str
    mandatory: tuple[str, ...]
    options: tuple[str, ...]


def _sum(*parts: str) -> tuple[str, ...]:
    """The names in the parts, each once."""
    return tuple(dict.fromkeys(" ".join(parts).split()))


_BASE = "I M A F D C Zicsr Zicntr Ziccif Ziccrse Ziccamoa Zicclsm"
_20U = f"{_BASE} Za128rs"
_20S = "Zifencei Ss1p11 Svbare Sv39 Svade Ssccptr Sstvecd Sstvala"
_22B = f"{_BASE} Za64rs B Zihpm Zihintpause Zic64b Zicbom Zicbop Zicboz Zkt"
_22U = f"{_22B} Zfhmin"
_22S = f"{_20S} Sscounterenw Svpbmt Svinval".replace("Ss1p11", "Ss1p12")
_22U_OPTIONS = "Zfh V Zkn Zks"
_22S_OPTIONS = "Sv48 Sv57 Svnapot Ssu64xl Sstc Sscofpmf Zkr Sha"
_23B = f"{_22B} Zihintntl Zicond Zimop Zcmop Zcb Zfa Zawrs"
_OF_A = "Zfhmin V Zvfhmin Zvbb Zvkt Supm"  # mandatory in RVA23, options in RVB23
_23S = f"{_22S} Svnapot Sstc Sscofpmf Ssu64xl".replace("Ss1p12", "Ss1p13")
_23U_OPTIONS = (
    "Zvkng Zvksg Zabha Zacas Ziccamoc Zvbc Zama16b Zfh Zbc Zicfilp Zicfiss Zvfh Zfbfmin Zvfbfmin "
    "Zvfbfwma"
)
_23S_OPTIONS = "Sv48 Sv57 Zkr Svadu Sdtrig Ssstrict Svvptc Sspm"
_B_OPTIONS = f"Zvkg Zvknc Zvksc Zkn Zks {_OF_A}"

PROFILES = {
    one.name.lower(): one
    for one in (
        Profile("RVA20U64", "2023-03", _sum(_20U), _sum("Zihpm")),
        Profile("RVA20S64", "2023-03", _sum(_20U, _20S), _sum("Zihpm Sv48 Ssu64xl")),
        Profile("RVA22U64", "2023-03", _sum(_22U), _sum(_22U_OPTIONS)),
        Profile("RVA22S64", "2023-03", _sum(_22U, _22S), _sum(_22U_OPTIONS, _22S_OPTIONS)),
        Profile("RVA23U64", "2024-10", _sum(_23B, _OF_A), _sum(_23U_OPTIONS)),
        Profile(
            "RVA23S64", "2024-10", _sum(_23B, _OF_A, _23S, "Ssnpm Sha"),
            _sum(_23U_OPTIONS, _23S_OPTIONS),
        ),
        Profile("RVB23U64", "2024-10", _sum(_23B), _sum(_23U_OPTIONS, _B_OPTIONS)),
        Profile(
            "RVB23S64", "2024-10", _sum(_23B, _23S),
            _sum(_23U_OPTIONS, _B_OPTIONS, _23S_OPTIONS, "Ssnpm Sha"),
        ),
    )
}  # fmt: skip
