"""Check the harts of a board: `[harts]`, and the tables `[harts.N]` of harts that differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rvplat.isa.machinery.profiles import PROFILES
from rvplat.machine.boards.board import (
    MAX_VLEN,
    MENVCFG_EXTENSIONS,
    MIN_VLEN,
    MOST_ASID_BITS,
    MOST_VMID_BITS,
    HartChanges,
    Harts,
    OneHart,
    has_vectors,
    least_vlen,
)
from rvplat.machine.boards.board_faults import Fault, Place, fault, listed, quoted
from rvplat.machine.boards.catalogue import Catalogue, shipped_extensions
from rvplat.machine.boards.isa_string import (
    TRANSLATION,
    IsaFault,
    needed_translation,
    order,
    profile_of,
    resolve_isa,
)
from rvplat.machine.boards.schema import convert_table, joined
from rvplat.machine.boards.toml_tree import TomlEntry

if TYPE_CHECKING:
    from rvplat.isa.machinery.extension import Extension

#: CSRs that every hart with M mode has, or on which other parts of a hart rest.
NEEDED = frozenset((
    "mstatus", "misa", "mie", "mip", "mtvec", "mscratch", "mepc", "mcause", "mtval", "mhartid",
    "satp", "sstatus",
))  # fmt: skip
FROM_VS, VS = 0x100, 2  # from a VS CSR's number to its S CSR's; the privilege bits of VS CSRs


def own_tables(section: TomlEntry) -> list[str]:
    """The names of the tables in `[harts]` that are numbers of harts."""
    return [name for name in section.table if name.isdecimal()]


def every_extension(each: Sequence[OneHart]) -> tuple[Extension, ...]:
    """The extensions that some hart has, in canonical order."""
    found = {extension.name: extension for one in each for extension in one.extensions}
    return tuple(sorted(found.values(), key=lambda extension: order(extension.name)))


def check_harts(
    harts: object, root: TomlEntry, catalogue: Catalogue, faults: list[Fault]
) -> tuple[OneHart, ...]:
    """What each hart has. Adds the faults of `[harts]` and of the harts' own tables."""
    section = root.table.get("harts", TomlEntry({}, root.place))
    if not isinstance(harts, Harts):
        return ()
    common = _HartChecker(harts, ("harts",), root, catalogue, faults)
    alike = OneHart(0, harts, common.check())
    changed = _changed_harts(harts, section, faults)
    each = []
    for number in range(harts.count):
        if number not in changed:
            each.append(OneHart(number, harts, alike.extensions))
            continue
        own = _HartChecker(changed[number], ("harts", str(number)), root, catalogue, faults)
        each.append(OneHart(number, changed[number], own.check()))
    return tuple(each)


def _changed_harts(harts: Harts, section: TomlEntry, faults: list[Fault]) -> dict[int, Harts]:
    """The harts that have a table of their own, by number."""
    found: dict[int, Harts] = {}
    for name in own_tables(section):
        entry, key = section.table[name], joined("harts", name)
        if name != str(int(name)) or int(name) >= harts.count:
            what = f"hart {name} on a board with {harts.count}"
            expected = f"a hart from 0 to {harts.count - 1}, or a larger harts.count"
            faults.append(fault(entry.place, key, what, expected))
            continue
        changes = convert_table(HartChanges, entry, key, faults)
        if isinstance(changes, HartChanges):
            found[int(name)] = changes.applied(harts)
    return found


class _HartChecker:
    """Checks what one table says. `path` is that table's; it takes other keys from `[harts]`."""

    def __init__(
        self, harts: Harts, path: tuple[str, ...], root: TomlEntry, catalogue: Catalogue,
        faults: list[Fault],
    ) -> None:  # fmt: skip
        self.harts = harts
        self.path = path
        self.root = root
        self.catalogue = catalogue
        self.faults = faults

    def check(self) -> tuple[Extension, ...]:
        """Add the table's faults. The extensions of its harts."""
        harts, known = self.harts, self.catalogue.extensions
        if self._mixes_widths():
            return ()
        extensions, faults = resolve_isa(harts.isa, known, harts.allow_draft, harts.privileged)
        for one in self._mmu(faults):
            names = (one.unknown, [*map(str.lower, known), *PROFILES]) if one.unknown else None
            self._fault("isa", one.found, one.expected, names)
        self._translation(extensions)
        if self._says("menvcfg"):
            self._menvcfg(extensions)
        if self._says("vlen"):
            self._vlen(extensions)
        self._identifiers(extensions)
        self._rnmi(extensions)
        if not faults:
            self._absent(extensions)
        return tuple(extensions)

    # --- places ---

    def _table(self) -> TomlEntry:
        entry = self.root
        for name in self.path:
            entry = entry.table.get(name, entry)
        return entry

    def _says(self, name: str) -> bool:
        """Whether the table itself has a key. What it takes over need not fit it."""
        return len(self.path) == 1 or name in self._table().table

    def _place(self, name: str) -> Place:
        """The place of a key, or of the table."""
        table = self._table()
        return table.table.get(name, table).place

    def _fault(
        self, name: str, found: str, expected: str, names: tuple[str, list[str]] | None = None
    ) -> None:
        key = ".".join((*self.path, name))
        self.faults.append(fault(self._place(name), key, found, expected, names))

    # --- rules ---

    def _mixes_widths(self) -> bool:
        """Refuse a hart of another XLEN than the board's."""
        common = self.root.table["harts"].table.get("isa")
        said = common.value if common is not None else ""
        width = Harts(isa=str(said)).xlen
        if width == self.harts.xlen:
            return False
        found = f"RV{self.harts.xlen} beside RV{width} in harts.isa"
        self._fault("isa", found, f"an ISA string of RV{width}: all harts have the same XLEN")
        return True

    def _translation(self, extensions: Sequence[Extension]) -> None:
        """Refuse extensions that need a larger translation scheme than `mmu`."""
        harts = self.harts
        needed = needed_translation(extensions, TRANSLATION[harts.translation])
        if needed is None:
            return
        who, scheme = needed
        profile = profile_of(harts.isa)
        if profile is not None and scheme in profile.mandatory:
            who = profile.name.lower()
        why = f": it needs {scheme}" if who != scheme else ""
        found = f'{who} beside mmu = "{harts.translation}"{why}'
        self._fault("isa", found, f'mmu = "{scheme.lower()}" or larger, or no {who}')

    def _mmu(self, faults: list[IsaFault]) -> list[IsaFault]:
        """Report a translation scheme of another XLEN at its key. Returns the other faults."""
        harts = self.harts
        known, name = self.catalogue.extensions, TRANSLATION[harts.translation]
        scheme = known.get(name)
        if harts.mmu is None or scheme is None or harts.xlen in scheme.widths:
            return faults
        found = f"{quoted(harts.mmu)} beside RV{harts.xlen} in harts.isa"
        mmus = [mmu for mmu, one in TRANSLATION.items() if harts.xlen in known[one].widths]
        self._fault("mmu", found, listed(mmus))
        return [one for one in faults if not one.found.startswith(f"{name} on ")]

    def _menvcfg(self, extensions: Sequence[Extension]) -> None:
        owned = {extension.name for extension in extensions}
        for name in self.harts.menvcfg or ():
            extension = MENVCFG_EXTENSIONS[name]
            if extension not in owned:
                found = f"{quoted(name)} without {extension.lower()} in the ISA string"
                expected = f"no {name}, or {extension.lower()} in harts.isa"
                self._fault("menvcfg", found, expected)

    def _vlen(self, extensions: Sequence[Extension]) -> None:
        vlen, least = self.harts.vlen, least_vlen(extensions)
        expected = ""
        if vlen is not None and vlen & vlen - 1:
            expected = f"a power of two from {MIN_VLEN} to {MAX_VLEN}"
        elif vlen is not None and not has_vectors(extensions):
            expected = "no vlen, or a vector extension such as v in harts.isa"
        elif vlen is not None and vlen < least:
            expected = f"at least {least}, which harts.isa demands with zvl{least}b"
        if expected:
            self._fault("vlen", str(vlen), expected)

    def _identifiers(self, extensions: Sequence[Extension]) -> None:
        """Refuse more bits of ASIDs and VMIDs than XLEN allows, and VMIDs without H."""
        harts = self.harts
        has_h = any(extension.name == "H" for extension in extensions)
        for name, value, most in (
            ("asid_bits", harts.asid_bits, MOST_ASID_BITS[harts.xlen]),
            ("vmid_bits", harts.vmid_bits, MOST_VMID_BITS[harts.xlen]),
        ):
            if value is None or not self._says(name):
                continue
            if value > most:
                self._fault(name, str(value), f"at most {most} on RV{harts.xlen}")
            elif name == "vmid_bits" and extensions and not has_h:
                self._fault(name, str(value), "no vmid_bits, or h in harts.isa")

    def _rnmi(self, extensions: Sequence[Extension]) -> None:
        """Refuse addresses of handlers that no instruction can have, or without Smrnmi."""
        has_rnmi = any(extension.name == "Smrnmi" for extension in extensions)
        for name in ("rnmi_handler", "rnmi_exception_handler"):
            address = getattr(self.harts, name)
            if address is None or not self._says(name):
                continue
            if address & 3:
                self._fault(name, f"{address:#x}", "a multiple of 4")
            elif extensions and not has_rnmi:
                self._fault(name, f"{address:#x}", f"no {name}, or smrnmi in harts.isa")

    def _absent(self, extensions: Sequence[Extension]) -> None:
        """Refuse names of no CSR, and of CSRs without which a hart can't be."""
        if not self.harts.absent_csrs or not self._says("absent_csrs"):
            return
        found = every_csr([*self._modes(), *extensions])
        twins = {number + FROM_VS for number in found.values() if number >> 8 & 3 == 1}
        for name in self.harts.absent_csrs:
            if name not in found:
                text = f"{quoted(name)}, which no extension of the hart has"
                self._fault("absent_csrs", text, "a CSR of the hart", (name, list(found)))
            elif name in NEEDED or (found[name] >> 8 & 3 == VS and found[name] in twins):
                text = f"{quoted(name)}, without which a hart can't be"
                self._fault("absent_csrs", text, "a CSR that a hart may lack")

    def _modes(self) -> list[Extension]:
        """The extensions that other keys than the ISA string stand for."""
        known, xlen = shipped_extensions(), self.harts.xlen
        names = (name for name in self.harts.privileged if xlen in known[name].widths)
        return [known[name].of(xlen) for name in names]


def every_csr(extensions: Sequence[Extension]) -> dict[str, int]:
    """The numbers of CSRs by name."""
    return {row.name: row.number for one in extensions for row in one.csrs}
