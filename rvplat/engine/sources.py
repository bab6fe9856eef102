"""What native code follows from, as a digest: the key under which it is kept.

Files can change while a process runs that imported them before, and the code that it makes is what
it imported. So what counts is a file's text at its import, never what the file says now: else wrong
code would be kept for everybody who has the new files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import rvplat
from rvplat.hart.csr import installed
from rvplat.hart.state import HartState, MachineState
from rvplat.isa.machinery.csr_rows import Csr
from rvplat.isa.machinery.extension import Extension, Instruction, Row
from rvplat.lang import Definition
from rvplat.lang.define import text_of

_ROOT = Path(rvplat.__file__).parent
_LAYERS = ("lang", "isa", "hart", "engine")
# For the files that define nothing: the compiler's.
_AT_IMPORT = {
    str(path): path.read_text("utf-8")
    for layer in _LAYERS
    for path in sorted((_ROOT / layer).rglob("*.py"))
}


def unchanged() -> bool:
    """Whether every file of ours still says what it said when it was read at the import.

    The compiler is imported only when it is needed: what it makes may be kept only if this holds.
    """
    return all(Path(path).read_text("utf-8") == text for path, text in _AT_IMPORT.items())


def digest(extensions: Sequence[Extension]) -> str:
    """Of every text, row and layout that native code for these extensions follows from."""
    found = hashlib.sha256()
    for text in _texts(extensions):
        found.update(text.encode() + b"\0")
    return found.hexdigest()


def _texts(extensions: Sequence[Extension]) -> Iterator[str]:
    for path, text in _AT_IMPORT.items():
        yield path.removeprefix(str(_ROOT))
        yield text_of(path) or text
    for record in (HartState, MachineState):
        yield repr([(f.name, f.offset, f.count) for f in record.fields.values()])
    rows: list[Row] = []
    for extension in extensions:
        yield f"{extension.name} {extension.version}"
        rows += [*extension.instructions, *extension.compressed_forms]
    for row in rows:
        yield f"{row.name} {row.pattern.text} {row.pattern.conditions}"
    csrs = _csrs(extensions)
    for csr in csrs:
        yield f"{csr.name} {csr.number} {csr.writable} {csr.storage}"
    yield from _foreign([*_definitions(rows, csrs)])


def _csrs(extensions: Iterable[Extension]) -> list[Csr]:
    """Rows that native code can reach: also those of earlier machines' plugins."""
    return [*installed.values(), *(csr for extension in extensions for csr in extension.csrs)]


def _definitions(rows: Iterable[Row], csrs: Iterable[Csr]) -> Iterator[Definition]:
    """The definitions that rows name."""
    for row in rows:
        if isinstance(row, Instruction):
            yield row.definition
    for csr in csrs:
        yield from (d for d in (csr.read, csr.write, csr.access) if d is not None)


# --- definitions of plugins, which may be anywhere ------------------------------------------------


def _foreign(waiting: list[Definition]) -> Iterator[str]:
    """The files of all definitions that aren't rvplat's own, and the constants in reach of them."""
    seen: set[int] = set()
    while waiting:
        definition = waiting.pop()
        if id(definition) in seen or definition.file in _AT_IMPORT:
            continue
        seen.add(id(definition))
        yield f"{definition.name} {text_of(definition.file)}"
        for name, thing in _reached(definition):
            if isinstance(thing, Definition):
                waiting.append(thing)
            elif isinstance(thing, int | float | str):
                yield f"{name} = {thing!r}"


def _reached(definition: Definition) -> Iterator[tuple[str, Any]]:
    """What the names in a definition stand for, those of modules and classes looked into."""
    names = definition.globals
    code = definition.function.__code__
    for name in (*code.co_names, *code.co_freevars):
        thing = names.get(name)
        yield name, thing
        if isinstance(thing, ModuleType | type):
            for inner in code.co_names:
                yield f"{name}.{inner}", getattr(thing, inner, None)
