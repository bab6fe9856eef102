"""Describe a program file, for `rvplat check PROGRAM`.

lief reads ELF and PE files here. Its import takes half a second, so no other command uses this
module.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rvplat.formats import PE_MACHINES, recognise
from rvplat.frozen import frozen
from rvplat.machine.loading.built_for import Attributes, flags_need, flags_text, parse_attributes
from rvplat.machine.loading.elf import MACHINES, RISCV
from rvplat.machine.loading.images import FIRST_BYTES, image_header, unpacked
from rvplat.machine.loading.program import Loader
from rvplat.machine.loading.symbol_files import parsed_elf, symbols_in

if TYPE_CHECKING:
    import lief

#: Symbols that rvplat or tests use.
NOTABLE: Final = ("_start", "tohost", "fromhost", "begin_signature", "end_signature")
ATTRIBUTES_SECTION: Final = ".riscv.attributes"


@frozen
class Part:
    """A loaded part: a segment of an ELF file or a section of a PE file. Sizes are in bytes;
    `address` is physical in an ELF file, and relative to the start of the image in a PE file."""

    address: int
    file_size: int
    size: int
    access: str
    name: str = ""


@frozen
class Facts:
    """`what` describes the file in a few words; `rows` are labels and texts; `needs` are the
    extensions that it was built for, in lower case; `interpreter` is its dynamic linker; `fixed`:
    its parts have addresses; `kernel`: firmware starts it."""

    what: str
    rows: Sequence[tuple[str, str]] = ()
    parts: Sequence[Part] = ()
    needs: Sequence[str] = ()
    interpreter: str = ""
    symbols: Mapping[str, int] = field(default_factory=dict, repr=False)
    fixed: bool = False
    kernel: bool = False


def facts_of(path: Path, data: bytes, loaders: Sequence[Loader] = ()) -> Facts:
    """The facts on a file, whether or not it can be loaded. `loaders` are those of plugins.

    Raises:
        LoaderError: the compression around it is damaged, or a plugin's loader refuses it.
    """
    for loader in loaders:
        if loader.matches(data[:FIRST_BYTES], path):
            return _of_plugin(loader, path, data)
    if data[:4] == b"\x7fELF":
        return _elf(path)
    inner = unpacked(path, data)
    around = "" if inner is data else ", compressed"
    if header := image_header(inner):
        pe = _pe(inner)
        rows = [
            ("goes to", f"{header.offset:#x} above the start of memory, or a multiple of 2 MiB"),
            ("needs", f"{header.size} bytes of memory"),
            *(
                [("EFI stub", f"{pe.what}; it starts from UEFI firmware too"), *pe.rows]
                if pe
                else []
            ),
        ]
        return Facts(f"a Linux Image for RISC-V{around}", rows, pe.parts if pe else (), kernel=True)
    if pe := _pe(inner):
        return pe
    found = recognise(inner)
    return Facts(found.name if found else f"raw bytes{around}, {len(inner)} of them")


def _of_plugin(loader: Loader, path: Path, data: bytes) -> Facts:
    """The facts on a file that a plugin's loader reads."""
    program = loader.load(path, data)
    parts = [Part(one.address, len(one.data), one.size, "") for one in program.segments]
    rows = [("entry", f"{program.entry:#x}"), ("symbols", str(len(program.symbols)))]
    what = f"a file that the plugin's loader {loader.name} reads"
    return Facts(what, rows, parts, symbols=program.symbols, fixed=program.fixed)


# --- ELF ----------------------------------------------------------------------------------------


def _elf(path: Path) -> Facts:
    elf = parsed_elf(path)
    if elf is None:
        return Facts("a damaged ELF file")
    attributes = _attributes(elf)
    symbols = symbols_in(elf)
    entry = elf.header.entrypoint
    at_entry = [name for name, value in symbols.items() if value == entry and name[0] not in ".$"]
    rows = [("entry", f"{entry:#x}" + (f" <{at_entry[0]}>" if at_entry else ""))]
    if int(elf.header.machine_type) == RISCV:
        rows.append(("flags", flags_text(elf.header.processor_flag)))
    rows += _attribute_rows(attributes)
    interpreter = str(elf.interpreter) if elf.has_interpreter else ""
    rows += [("interpreter", interpreter)] if interpreter else []
    rows.append(("symbols", _symbols_text(elf, symbols)))
    parts = list(_segments(elf))
    relative = elf.is_pie and min((part.address for part in parts), default=0) == 0
    return Facts(
        _elf_kind(elf), rows, parts, _needs(elf, attributes), interpreter, symbols, not relative
    )


def _elf_kind(elf: lief.ELF.Binary) -> str:
    """ "an ELF file, 64 bits, little-endian, for RISCV: an executable"."""
    import lief

    header, kinds = elf.header, lief.ELF.Header.FILE_TYPE
    bits = "64" if header.identity_class == lief.ELF.Header.CLASS.ELF64 else "32"
    order = "little" if header.identity_data == lief.ELF.Header.ELF_DATA.LSB else "big"
    kind = {
        kinds.EXEC: "an executable",
        kinds.DYN: "a position-independent executable or a library",
        kinds.REL: "a relocatable object, which is not linked",
        kinds.CORE: "a core dump",
    }.get(header.file_type, "of an unknown type")
    number = int(header.machine_type)
    machine = "RISC-V" if number == RISCV else MACHINES.get(number, f"machine {number}")
    return f"an ELF file for {machine}, {bits} bits, {order}-endian: {kind}"


def _attributes(elf: lief.ELF.Binary) -> Attributes:
    section = elf.get_section(ATTRIBUTES_SECTION)
    return parse_attributes(bytes(section.content)) if section is not None else Attributes()


def _attribute_rows(attributes: Attributes) -> list[tuple[str, str]]:
    rows = [("built for", attributes.arch)] if attributes.arch else []
    if attributes.stack_alignment:
        rows.append(("stack", f"aligned to {attributes.stack_alignment} bytes"))
    if attributes.unaligned_access:
        rows.append(("accesses", "the program makes misaligned ones"))
    return rows


def _needs(elf: lief.ELF.Binary, attributes: Attributes) -> list[str]:
    """The extensions in the attributes and the flags, each once."""
    if int(elf.header.machine_type) != RISCV:
        return []
    return list(dict.fromkeys([*attributes.extensions, *flags_need(elf.header.processor_flag)]))


def _segments(elf: lief.ELF.Binary) -> Iterable[Part]:
    import lief

    bits = lief.ELF.Segment.FLAGS
    for one in elf.segments:
        if one.type == lief.ELF.Segment.TYPE.LOAD and one.virtual_size:
            flags = (("r", bits.R), ("w", bits.W), ("x", bits.X))
            access = "".join(letter if one.has(flag) else "-" for letter, flag in flags)
            moved = one.virtual_address != one.physical_address
            name = f"at the virtual address {one.virtual_address:#x}" if moved else ""
            yield Part(one.physical_address, one.physical_size, one.virtual_size, access, name)


def _symbols_text(elf: lief.ELF.Binary, symbols: dict[str, int]) -> str:
    debug = "; with debug information" if elf.has_section(".debug_info") else ""
    if not symbols:
        return f"none, so no tohost either{debug}"
    notable = [f"{name} {symbols[name]:#x}" for name in NOTABLE if name in symbols]
    return f"{len(symbols)}{''.join(f', {text}' for text in notable)}{debug}"


# --- PE -----------------------------------------------------------------------------------------


def _pe(data: bytes) -> Facts | None:
    """The facts on a PE file (Microsoft, "PE Format"); None if it is not one."""
    if data[:2] != b"MZ":
        return None
    import lief

    lief.logging.disable()
    pe = lief.PE.parse(data)
    if pe is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lief has no name for some machines
        machine = int(pe.header.machine)
    subsystem = getattr(pe.optional_header.subsystem, "name", "").replace("_", " ")
    subsystem = subsystem.lower().replace("efi", "EFI") or "unknown"
    target = PE_MACHINES.get(machine, f"machine {machine:#x}")
    entry = pe.optional_header.addressof_entrypoint
    rows = [("PE entry", f"{entry:#x} above its start")]
    return Facts(
        f"a PE file for {target}, {subsystem}", rows, [_section(one) for one in pe.sections]
    )


def _section(one: lief.PE.Section) -> Part:
    import lief

    bits = lief.PE.Section.CHARACTERISTICS
    flags = (("r", bits.MEM_READ), ("w", bits.MEM_WRITE), ("x", bits.MEM_EXECUTE))
    access = "".join(letter if one.has_characteristic(flag) else "-" for letter, flag in flags)
    return Part(one.virtual_address, one.size, one.virtual_size, access, str(one.name))
