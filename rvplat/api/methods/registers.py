"""Registers and CSRs."""

from __future__ import annotations

from typing import TypedDict

from rvplat.api.errors import BadParameter
from rvplat.api.interfaces import Session
from rvplat.api.names import hart_of
from rvplat.api.registry import method
from rvplat.api.schema import Value, Word, text_of
from rvplat.isa.machinery.disassemble import F_NAMES, X_NAMES
from rvplat.machine.running.hart import Hart


class RegisterFile(TypedDict):
    """Values by name. `csrs` are those that can be read now; `fields` are the fields of some of
    them, by name."""

    pc: Word
    priv: int
    virt: int
    x: dict[str, Word]
    f: dict[str, Word]
    csrs: dict[str, Word]
    fields: dict[str, dict[str, Word]]


@method("still")
def registers_read(
    session: Session, hart: int = 0, names: list[str] | None = None
) -> dict[str, Word]:
    """Registers by name: "pc", "a0", "x10", "fa0", "v3", "mstatus" or "mstatus.MPP"; without
    `names` pc and the integer registers. A vector register has VLEN / 4 digits."""
    one = hart_of(session.api.machine, hart)
    wanted = ["pc", *X_NAMES] if names is None else names
    return {name: _read(one, name) for name in wanted}


def _read(hart: Hart, name: str) -> Word:
    if name in ("pc", "priv", "virt"):
        return text_of(getattr(hart, name))
    kind, number = _place(name)
    if kind == "v":
        return Word(f"{hart.v[number]:#x}")
    if kind:
        return text_of((hart.x if kind == "x" else hart.f)[number])
    return text_of(hart.csr(name))


def _place(name: str) -> tuple[str, int]:
    """("x", 10) for "a0" and "x10"; ("", 0) for a CSR."""
    if name in X_NAMES:
        return "x", X_NAMES.index(name)
    if name == "fp":
        return "x", 8
    if name in F_NAMES:
        return "f", F_NAMES.index(name)
    if name[:1] in ("x", "f", "v") and name[1:].isdigit():
        return name[0], int(name[1:])
    return "", 0


@method("stopped")
def registers_write(session: Session, name: str, value: Value, hart: int = 0) -> dict[str, Word]:
    """Write a register, CSR or field of a CSR of a stopped machine, as M mode would; returns its
    value. A change in the past begins a new future there."""
    one = hart_of(session.api.machine, hart)
    kind, number = _place(name)
    if name in ("pc", "priv"):
        setattr(one, name, value)
    elif kind in ("x", "f"):
        (one.x if kind == "x" else one.f)[number] = value
    elif kind == "v" or name == "virt":
        raise BadParameter(f"name={name!r}: it can be read only")
    else:
        one.set_csr(name, value)
    return {name: _read(one, name)}


@method("still")
def registers_all(session: Session, hart: int = 0) -> RegisterFile:
    """Every register of a hart but vectors, and every CSR that can be read without a trap."""
    one = hart_of(session.api.machine, hart)
    has_f = any(extension.name == "F" for extension in one.extensions)
    csrs: dict[str, int] = {}
    for name in one.csrs:
        try:
            csrs[name] = one.csr(name)
        except LookupError:  # not in this mode
            continue
    fields = {
        name: {part.name: text_of(part.extract(value)) for part in one.csrs[name].fields}
        for name, value in csrs.items() if one.csrs[name].fields
    }  # fmt: skip
    return {
        "pc": text_of(one.pc), "priv": one.priv, "virt": one.virt,
        "x": {name: text_of(one.x[name]) for name in X_NAMES},
        "f": {name: text_of(one.f[name]) for name in F_NAMES} if has_f else {},
        "csrs": {name: text_of(value) for name, value in csrs.items()}, "fields": fields,
    }  # fmt: skip
