"""`rvplat isa`: lists the ISA extensions, or shows one, a profile, an instruction or a CSR."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import TYPE_CHECKING

from rvplat.cli.options import DEFAULT_BOARD, add_board_options, overrides
from rvplat.tables import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rvplat.engine.fast_reason import FastForms
    from rvplat.isa.machinery.csr_rows import Csr, CsrField
    from rvplat.isa.machinery.extension import Extension, Row
    from rvplat.machine.boards.board import Board
    from rvplat.machine.boards.catalogue import Catalogue

DETAILS = """\
NAME is an extension (M), a profile (rva22s64), an instruction (mul, c.addi) or a CSR (mstatus).
M.mul names an instruction or a CSR of one extension. A number such as 0x00b50533 is decoded as an
instruction, or as two if its low half is a compressed one. BOARD is the board whose harts are meant
and whose plugins are loaded.
"""
ALWAYS_SLOW = "runs in its slow form: "


class Isa:
    """Lists the ISA extensions, or shows one of them."""

    name = "isa"
    help = "list the ISA extensions, or show one, a profile, an instruction, its bits, or a CSR"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.usage = "rvplat isa [BOARD] [NAME] [options]"
        parser.epilog = DETAILS
        parser.add_argument("words", nargs="*", metavar="BOARD NAME", help="see below")
        add_board_options(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.machine.boards.catalogue import Catalogue
        from rvplat.machine.open import open_board

        name, wanted = _board_and_name(arguments.words, arguments.plugins)
        board, plugins = open_board(name, overrides(arguments), arguments.plugins)
        catalogue = Catalogue.of(plugins)
        sys.stdout.write(_shown(wanted, board, catalogue) if wanted else _listed(board, catalogue))
        return 0


def _board_and_name(words: list[str], plugin_paths: list[str]) -> tuple[str, str]:
    """Tell apart the positional arguments: a board, a name, both or neither."""
    from rvplat.errors import RvplatError
    from rvplat.machine.boards.catalogue import Catalogue
    from rvplat.machine.boards.toml_tree import board_names
    from rvplat.pluginmanager import load_plugins

    if len(words) > 2:
        raise RvplatError(f"isa: {' '.join(words[2:])}: expected only a BOARD and a NAME")
    if len(words) == 2:
        return words[0], words[1]
    if not words:
        return DEFAULT_BOARD, ""
    boards = board_names(Catalogue.of(load_plugins(plugin_paths)).boards)
    is_board = words[0] in boards or words[0].endswith(".toml") or "/" in words[0]
    return (words[0], "") if is_board else (DEFAULT_BOARD, words[0])


def _listed(board: Board, catalogue: Catalogue) -> str:
    """A line for each extension."""
    from rvplat.machine.boards.listing import HARTS_HEAD, list_extensions, list_harts

    cells = [
        (row.name, row.version, row.standing, row.ratified, row.enabled,
         str(row.instructions), str(row.csrs), row.title)
        for row in list_extensions(catalogue, board)
    ]  # fmt: skip
    head = ("extension", "version", "standing", "ratified", board.name, "instructions", "CSRs",
            "what")  # fmt: skip
    harts = list_harts(board)
    return table(head, cells) + ("\n" + table(HARTS_HEAD, harts) if harts else "")


def _shown(wanted: str, board: Board, catalogue: Catalogue) -> str:
    """Show an extension, an instruction or a CSR."""
    from rvplat.errors import DefinitionError, RvplatError, did_you_mean
    from rvplat.isa.machinery.profiles import PROFILES
    from rvplat.lang import LanguageError
    from rvplat.machine.boards.listing import known_extensions
    from rvplat.machine.inspection.extension_text import find, nearest

    known = known_extensions(catalogue, board)
    if wanted[:2].lower() == "0x":
        from rvplat.cli.isa_word import word_shown

        return word_shown(wanted, board, known)
    if profile := PROFILES.get(wanted.lower()):
        from rvplat.cli.isa_profile import profile_shown

        return profile_shown(profile, board, catalogue.extensions)
    found = find(wanted, known)
    if found is None:
        hint = did_you_mean(nearest(wanted, known))
        raise RvplatError(
            f'isa: "{wanted}" is no board, extension, profile, instruction or CSR{hint} '
            "(`rvplat isa` lists the extensions)"
        )
    try:
        if found.rows:
            forms = _forms(known, found.rows[0].xlen or board.harts.xlen)
            return "\n".join(_instruction(row, forms) for row in found.rows)
        if found.csr is not None:
            return _csr(found.csr)
        return _extension(found.extension, board, _forms(known, found.extension.xlen))
    except (TypeError, LanguageError) as error:  # a plugin's; `rvplat check` says more
        raise DefinitionError(str(error)) from error


def _forms(known: Sequence[Extension], xlen: int) -> FastForms:
    """An object that knows which instructions of an XLEN have a fast form."""
    from rvplat.engine.fast_reason import FastForms

    return FastForms(one.of(xlen) for one in known)


def _extension(extension: Extension, board: Board, forms: FastForms) -> str:
    """Show an extension: its instructions and its CSRs."""
    from rvplat.machine.inspection.extension_text import rows_of

    lines = [*_head(extension, board), ""]
    for row in rows_of(extension):
        lines += [row.syntax, *(f"    {line}" for line in _brief(row, forms)), ""]
    lines += _csr_table(extension)
    return "\n".join(lines).rstrip() + "\n"


def _head(extension: Extension, board: Board) -> list[str]:
    """Name, version, standing, relation to other extensions, state."""
    title = f": {extension.title}" if extension.title else ""
    lines = [f"{extension.name} {extension.version}, {extension.standing}{title}"]
    if text := extension.ratification:
        lines.append(f'ratified {text.when}: volume {text.volume}, "{text.chapter}"')
    if extension.requires:
        lines.append(f"requires {', '.join(extension.requires)}")
    if extension.implied_by:
        lines.append(f"a hart with {' and '.join(extension.implied_by)} has it")
    lines.append(_who_has(extension, board))
    lines.append(f"defined in {extension.place}")
    for name, kind, count in extension.states:
        many = f"[{count}]" if count else ""
        lines.append(f"state of a hart: {name}{many}, {kind.__name__}")
    return lines


def _who_has(extension: Extension, board: Board) -> str:
    """Which harts of the board have an extension."""
    from rvplat.machine.boards.listing import have_it

    found = have_it(board, extension.name)
    if found in ("yes", "-"):
        return f"the harts of {board.name} {'have it' if found == 'yes' else 'do not have it'}"
    return f"of the harts of {board.name} these have it: {found}"


def _brief(row: Row, forms: FastForms) -> list[str]:
    """Encoding and meaning of an instruction, as in the listing of its extension."""
    from rvplat.isa.machinery.extension import Compressed
    from rvplat.machine.inspection.extension_text import body_of, conditions, doc_of, expansion

    where = conditions(row.pattern)
    lines = [row.pattern.text + (f"    where {where}" if where else "")]
    if isinstance(row, Compressed):
        return [*lines, f"is {expansion(row)}"]
    if doc := doc_of(row.text):
        lines += textwrap.wrap(doc, 92)
    lines += [f"    {line}".rstrip() for line in body_of(row.text).splitlines()]
    if reason := forms.why_slow(row):
        lines += textwrap.wrap(ALWAYS_SLOW + reason, 92)
    return lines


def _instruction(row: Row, forms: FastForms) -> str:
    """Show one instruction: its bits as boxes, its meaning, and where it is defined."""
    from rvplat.machine.inspection.extension_text import boxes

    extension = row.extension
    needs = f", also needs {', '.join(row.requires)}" if row.requires else ""
    lines = [row.syntax, f"{extension.name} {extension.version}, {extension.standing}{needs}", ""]
    parts = boxes(row.pattern)
    bits = [_bits(box.high, box.low) for box in parts]
    lines += table(bits, [[box.text for box in parts]], ">" * len(parts)).splitlines()
    lines += ["", *_brief(row, forms)[1:], "", f"defined in {row.place}"]
    return "\n".join(lines) + "\n"


def _csr_table(extension: Extension) -> list[str]:
    """A table of the CSRs of an extension, with the values that a write can leave in them."""
    from rvplat.machine.inspection.extension_text import access, groups, legal_values

    rows = []
    for csr, count in groups(extension.csrs):
        stem = csr.name.rstrip("0123456789")
        last = f" to {stem}{int(csr.name[len(stem) :]) + count - 1}" if count > 1 else ""
        rows.append((f"{csr.number:#x}", csr.name + last, access(csr), legal_values(csr)))
    return table(("CSR", "name", "access", "legal values"), rows).splitlines() if rows else []


def _csr(csr: Csr) -> str:
    """Show one CSR with its fields and definitions."""
    from rvplat.machine.inspection.extension_text import access, body_of, doc_of, legal_values

    lines = [f"{csr.name}, CSR {csr.number:#x}, {access(csr)}, of {csr.extension}"]
    lines += textwrap.wrap(f"legal values: {legal_values(csr)}", 96)
    if csr.whole is not None:
        lines.append(f"a half of the 64 bits that RV64 has as {csr.whole.name}")
    lines.append(f"after a reset: {csr.after_reset:#x}")
    if csr.access is not None:
        lines += textwrap.wrap(f"access: {doc_of(csr.access) or csr.access.name}", 96)
    lines.append(f"defined in {csr.place}")
    rows = [(_bits(one.high, one.low), one.name, _writable(csr, one)) for one in csr.fields]
    if rows:
        lines += ["", *table(("bits", "field", ""), rows).splitlines()]
    for what, definition in (("read", csr.read), ("write", csr.write), ("access", csr.access)):
        if definition is not None:
            lines += ["", f"{what}, by `{definition.name}`:"]
            lines += [f"    {line}".rstrip() for line in body_of(definition).splitlines()]
    return "\n".join(lines) + "\n"


def _bits(high: int, low: int) -> str:
    """A range of bits as the manual writes it: 7 or 11:7."""
    return str(high) if high == low else f"{high}:{low}"


def _writable(csr: Csr, field: CsrField) -> str:
    """Whether a write changes a field; empty if a definition decides that."""
    if csr.read_only or (csr.write is None and not field.extract(csr.writable)):
        return "read-only"
    return "" if csr.write is not None else "writable"
