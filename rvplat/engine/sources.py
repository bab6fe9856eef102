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
from rvplat.engine.architecture import Architecture
from rvplat.hart.state import MachineState
from rvplat.isa.machinery.extension import Extension, Instruction, Row
from rvplat.lang import Definition, Record
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


def digest(architecture: Architecture) -> str:
    """Of every text, row and layout that the native code of what ships follows from."""
    return _digest(_base_texts(architecture.base))


def digest_of(extension: Extension, layout: Record) -> str:
    """Of what the native code of a plugin's extension follows from, besides `digest`: its own
    texts and rows, and where the fields that they name lie."""
    return _digest(_own_texts(extension, layout))


def _digest(texts: Iterable[str]) -> str:
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\0")
    return found.hexdigest()


def _base_texts(architecture: Architecture) -> Iterator[str]:
    yield f"XLEN {architecture.xlen} {architecture.constants}"
    for path, text in _AT_IMPORT.items():
        yield path.removeprefix(str(_ROOT))
        yield text_of(path) or text
    for record in (architecture.layout, MachineState):
        yield repr([(f.name, f.offset, f.count) for f in record.fields.values()])
    definitions: list[Definition] = []
    for extension in architecture.extensions:
        yield from _rows(extension, definitions)
    yield from (text for text, _ in _foreign(definitions))


def _own_texts(extension: Extension, layout: Record) -> Iterator[str]:
    definitions: list[Definition] = []
    yield from _rows(extension, definitions)
    named = {row.name for row in extension.csrs}
    for text, names in _foreign(definitions):
        yield text
        named.update(names)
    for name in sorted(named & layout.fields.keys()):
        place = layout.fields[name]
        yield f"{name} {place.type} {place.offset} {place.count}"


def _rows(extension: Extension, definitions: list[Definition]) -> Iterator[str]:
    """What an extension's rows say, and the definitions that they name."""
    yield f"{extension.name} {extension.version}"
    rows: list[Row] = [*extension.instructions, *extension.compressed_forms]
    for row in rows:
        instruction = row if isinstance(row, Instruction) else row.expands
        yield f"{row.name} {row.pattern.text} {row.pattern.conditions} {instruction.name}"
        definitions.append(instruction.definition)
    for csr in extension.csrs:
        yield f"{csr.name} {csr.number} {csr.writable} {csr.storage}"
        definitions += [d for d in (csr.read, csr.write, csr.access) if d is not None]


# --- definitions of plugins, which may be anywhere ------------------------------------------------


def _foreign(waiting: list[Definition]) -> Iterator[tuple[str, Sequence[str]]]:
    """The files of all definitions that aren't rvplat's own, and the constants in reach of them;
    with each, the names that its text uses."""
    seen: set[int] = set()
    while waiting:
        definition = waiting.pop()
        if id(definition) in seen or definition.file in _AT_IMPORT:
            continue
        seen.add(id(definition))
        yield f"{definition.name} {definition.text}", definition.function.__code__.co_names
        for name, thing in _reached(definition):
            if isinstance(thing, Definition):
                waiting.append(thing)
            elif isinstance(thing, int | float | str):
                yield f"{name} = {thing!r}", ()


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
