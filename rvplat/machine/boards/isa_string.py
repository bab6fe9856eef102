"""ISA strings: "rv64imafdc_zicsr_zifencei" (Unprivileged, "ISA Extension Naming Conventions"), or a
profile, alone or with further extensions: "rva22s64_v" (RISC-V Profiles, "Profile Naming
Convention").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, Self, TypeVar

from rvplat.frozen import frozen
from rvplat.isa.machinery.profiles import PROFILES, Profile
from rvplat.machine.boards.board_faults import listed, toml_text

# Other keys of a board select these extensions: an ISA string must not name them, and the device
# tree has separate properties for them.
MODES = ("Sm", "S", "U")
PMP = "Smpmp"
#: The largest translation scheme by the value of `harts.mmu`; it requires the smaller ones.
TRANSLATION = {"bare": "Svbare", "sv32": "Sv32", "sv39": "Sv39", "sv48": "Sv48", "sv57": "Sv57"}
PRIVILEGED = (*MODES, PMP, *TRANSLATION.values())
#: The extensions that "g" abbreviates.
GENERAL = ("I", "M", "A", "F", "D", "Zicsr", "Zifencei")
_PROFILE = re.compile(r"rv[a-z]\d\d[usm](32|64)")
_LETTERS_THEN_NAME = re.compile(r"([a-rt-wy]*)([zsx][a-z0-9]+)?")


class Named(Protocol):
    """The properties of an extension that this module uses."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def standing(self) -> str: ...
    @property
    def requires(self) -> tuple[str, ...]: ...
    @property
    def implied_by(self) -> tuple[str, ...]: ...
    @property
    def widths(self) -> tuple[int, ...]: ...
    def of(self, xlen: int) -> Self: ...


E = TypeVar("E", bound=Named)


@frozen
class IsaFault:
    """A fault of an ISA string; `unknown` is the name that no extension has, or empty."""

    found: str
    expected: str
    unknown: str = ""


def profile_of(isa: str) -> Profile | None:
    """The profile that an ISA string begins with."""
    return PROFILES.get(isa.lower().partition("_")[0])


def split_isa(isa: str) -> list[str] | IsaFault:
    """The names in an ISA string, in their order there and in lower case; those that its profile
    stands for are not among them."""
    text = isa.lower()
    if _PROFILE.match(text):
        return _split_profile(isa)
    if not re.match(r"rv(32|64)[ig]", text):
        return IsaFault(toml_text(isa), 'an ISA string such as "rv64imafdc_zicsr"')
    return _split_names(isa, text[4:].split("_"))


def _split_profile(isa: str) -> list[str] | IsaFault:
    """`split_isa` of a string that begins as a profile's name does."""
    name, *parts = isa.lower().split("_")
    if name not in PROFILES:
        return IsaFault(f"the unknown profile {toml_text(name)}", listed(PROFILES), name)
    return _split_names(isa, parts)


def _split_names(isa: str, parts: Sequence[str]) -> list[str] | IsaFault:
    """The names in the parts of a string, which underscores separate."""
    names: list[str] = []
    for part in parts:
        if _PROFILE.fullmatch(part):
            first = profile_of(isa)
            what = f"two profiles, {first.name.lower()} and {part}, in" if first else f"{part} in"
            return IsaFault(f"{what} {toml_text(isa)}", "one profile, as the first part")
        found = _LETTERS_THEN_NAME.fullmatch(part)
        if not found or not part:
            return IsaFault(
                f'"{part}" in {toml_text(isa)}', "letters, or a name with z, s or x first"
            )
        names += [*found[1], *([found[2]] if found[2] else [])]
    return names


def resolve_isa(
    isa: str, known: Mapping[str, E], allow_draft: bool, further: Iterable[str] = ()
) -> tuple[list[E], list[IsaFault]]:
    """The extensions that a string names, with all that they require, in canonical order; and the
    faults of the string.

    `known` has the extensions by name. The names in `further` are added to those of the string.
    """
    names = split_isa(isa)
    if isinstance(names, IsaFault):
        return [], [names]
    by_lower = {name.lower(): extension for name, extension in known.items()}
    faults = [IsaFault(f'"{name}" twice', "it once") for name in _twice(names)]
    xlen = xlen_of(isa)
    profile = profile_of(isa)
    if profile is not None:
        faults += _missing(profile, known)
        further = (*further, *profile.mandatory)
    wanted = [known[name] for name in further if name in known]
    for name in dict.fromkeys(_expanded(names)):
        if name not in by_lower:
            faults.append(IsaFault(f'the unknown extension "{name}"', "a known one", name))
        else:
            wanted.append(by_lower[name])
    exist = {name: extension for name, extension in known.items() if xlen in extension.widths}
    faults += [_narrow(one, xlen) for one in wanted if one.name not in exist]
    closed = _closure([one for one in wanted if one.name in exist], exist)
    if {"Zclsd", "Zcf"} <= {extension.name for extension in closed}:
        clash = "Zclsd beside Zcf, which C and F imply: they share encodings"
        faults.append(IsaFault(clash, "one of them, such as zca and f with zclsd"))
    if not allow_draft:
        faults += [_draft(extension) for extension in closed if extension.standing == "draft"]
    found = (extension.of(xlen) for extension in closed)
    return sorted(found, key=lambda extension: order(extension.name)), faults


def xlen_of(isa: str) -> int:
    """XLEN, from the beginning of an ISA string."""
    return 32 if isa.lower().startswith("rv32") else 64


def _narrow(extension: Named, xlen: int) -> IsaFault:
    found = f"{extension.name} on RV{xlen}"
    only = " and ".join(f"RV{width}" for width in extension.widths)
    return IsaFault(found, f"{extension.name} on {only} only")


def _missing(profile: Profile, known: Mapping[str, Named]) -> list[IsaFault]:
    """The fault of a profile that demands an extension which no plugin or rvplat itself has."""
    names = [name for name in profile.mandatory if name not in known]
    if not names:
        return []
    found = f"{profile.name.lower()}, which demands {', '.join(names)}: rvplat lacks that"
    return [IsaFault(found, "another profile, or the extensions one by one")]


def _draft(extension: Named) -> IsaFault:
    found = f"{extension.name} {extension.version}, which is a draft"
    return IsaFault(found, "allow_draft = true beside it, or no draft")


def _twice(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _expanded(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        yield from (part.lower() for part in GENERAL) if name == "g" else (name,)


def _closure(wanted: Sequence[E], known: Mapping[str, E]) -> list[E]:
    """The extensions, those that they require and those that they imply together. Requirements
    that no known extension meets are left out here."""
    found: dict[str, E] = {}
    queue = list(wanted)
    while queue:
        extension = queue.pop()
        if extension.name in found:
            continue
        found[extension.name] = extension
        queue += [known[name] for name in extension.requires if name in known]
        queue += [e for e in known.values() if e.implied_by and found.keys() >= {*e.implied_by}]
    return list(found.values())


def needed_translation(extensions: Sequence[Named], largest: str) -> tuple[str, str] | None:
    """The translation scheme that extensions need beyond the `largest` of the harts, and the
    extension that needs it; None if there is none."""
    schemes = list(TRANSLATION.values())
    names = [extension.name for extension in extensions]
    beyond = [scheme for scheme in schemes[schemes.index(largest) + 1 :] if scheme in names]
    if not beyond:
        return None
    by = [one.name for one in extensions if beyond[-1] in one.requires]
    return (by or beyond[-1:])[0], beyond[-1]


def order(name: str) -> tuple[int, int, str]:
    """Sort key for the manual's order of names: letters, then Z by their second letter, S, X."""
    letters = "iemafdqlcbkjtpvnhsu"
    if len(name) == 1:
        return 0, letters.find(name.lower()), name
    first = name[0].lower()
    category = letters.find(name[1].lower()) if first == "z" else 0
    return "zsx".find(first) + 1, category, name.lower()


def isa_string(extensions: Iterable[Named], xlen: int = 64) -> str:
    """The string that names exactly these extensions."""
    names = [extension.name.lower() for extension in extensions]
    single = "".join(name for name in names if len(name) == 1)
    return "_".join([f"rv{xlen}{single}", *(name for name in names if len(name) > 1)])
