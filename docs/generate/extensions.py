"""The ISA extensions that ship: standing, instructions, CSRs."""

from __future__ import annotations

from collections.abc import Iterator

from generate.markdown import anchor, code, table
from rvplat.engine.fast_reason import FastForms
from rvplat.isa import Extension
from rvplat.isa.machinery.profiles import PROFILES
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.boards.isa_string import order
from rvplat.machine.inspection.extension_text import (
    access,
    conditions,
    doc_of,
    expansion,
    fields_of,
    groups,
    legal_values,
)
from rvplat.machine.inspection.profile_parts import missing_of


def page() -> str:
    """A table of all, then a section for each that holds something."""
    known = sorted(shipped_extensions().values(), key=lambda one: order(one.name))
    forms = FastForms(known)
    rows = [(_link(one), one.version, one.standing, *_text(one), one.title) for one in known]
    head = ("extension", "version", "standing", "ratified", "text", "what")
    parts = [table(head, rows), *_profiles()]
    parts += [_extension(one, forms) for one in known if _holds_something(one)]
    return "\n\n".join(parts)


def _text(one: Extension) -> tuple[str, str]:
    """When it was ratified, and where its text is."""
    found = one.ratification
    return (found.when, f"{found.volume}, {found.chapter}") if found else ("", "")


def _profiles() -> Iterator[str]:
    """The profiles: what they demand, and what of that is missing."""
    known = shipped_extensions()
    rows = [
        (
            code(name), one.ratified, ", ".join(one.mandatory),
            ", ".join(missing_of(one.mandatory, known)) or "nothing",
            ", ".join(missing_of(one.options, known)) or "nothing",
        )
        for name, one in PROFILES.items()
    ]  # fmt: skip
    head = ("profile", "ratified", "mandatory", "missing of these", "missing of its options")
    yield "## Profiles"
    yield (
        "A profile's name is an ISA string, alone or with further extensions: `rva22s64`, "
        "`rva22s64_v`. `rvplat isa rva22s64` lists its parts. A board can't name a profile "
        "of which a mandatory extension is missing."
    )
    yield table(head, rows)


def _holds_something(one: Extension) -> bool:
    return bool(one.instructions or one.compressed_forms or one.csrs)


def _link(one: Extension) -> str:
    return f"[{one.name}](#extension-{one.name.lower()})" if _holds_something(one) else one.name


def _extension(one: Extension, forms: FastForms) -> str:
    parts = [
        f"{anchor(f'extension-{one.name.lower()}')}## {one.name}: {one.title}",
        f"Version {one.version}, {one.standing}.",
    ]
    if one.requires:
        parts.append(f"It requires {', '.join(one.requires)}.")
    if one.instructions:
        head = ("instruction", "encoding", "meaning")
        parts.append(table(head, _instructions(one, forms)))
    if one.compressed_forms:
        parts.append(table(("compressed form", "encoding", "is"), _compressed(one)))
    if one.csrs:
        parts.append(table(("CSR", "name", "access", "fields", "legal values"), _csrs(one)))
    return "\n\n".join(parts)


def _where(text: str) -> str:
    return f", where {code(text)}" if text else ""


def _instructions(one: Extension, forms: FastForms) -> Iterator[tuple[str, str, str]]:
    for row in one.instructions:
        slow = forms.why_slow(row)
        meaning = doc_of(row.text) + (f" It runs in its slow form: {slow}." if slow else "")
        encoding = code(row.pattern.text) + _where(conditions(row.pattern))
        yield code(row.syntax), encoding, meaning


def _compressed(one: Extension) -> Iterator[tuple[str, str, str]]:
    for row in one.compressed_forms:
        encoding = code(row.pattern.text) + _where(conditions(row.pattern))
        yield code(row.syntax), encoding, code(expansion(row))


def _csrs(one: Extension) -> Iterator[tuple[str, str, str, str, str]]:
    for csr, count in groups(one.csrs):
        stem = csr.name.rstrip("0123456789")
        last = f" to {code(f'{stem}{int(csr.name[len(stem) :]) + count - 1}')}" if count > 1 else ""
        yield (
            f"{csr.number:#x}", code(csr.name) + last, access(csr), code(fields_of(csr)),
            legal_values(csr),
        )  # fmt: skip
