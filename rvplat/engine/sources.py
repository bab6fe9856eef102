"""The digest of all that native code depends on. It is the key of the code in the cache.

Files can change after a process has imported them. The code that the process makes then depends on
the imported text. So the digest is of a file's text at its import, never of its current text.
Otherwise the cache would give wrong code to processes that have the new files.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
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
from rvplat.lang.source_text import read_source

_ROOT = Path(rvplat.__file__).parent
_LAYERS = ("lang", "bus/natives", "isa", "hart", "engine")
_HELPERS = frozenset({str(_ROOT / "isa/fp_soft.py")})
"""Files of `isa` whose definitions several extensions share, in the base part."""


def _files() -> list[str]:
    """The files on which native code can depend."""
    found = []
    for layer in _LAYERS:
        for folder, inner, names in os.walk(_ROOT / layer):
            inner[:] = [name for name in inner if name != "__pycache__"]
            found += [f"{folder}/{name}" for name in names if name.endswith(".py")]
    return sorted(found)


# Definitions have the texts of their files. The other files are read here.
_AT_IMPORT = {file: text_of(file) or read_source(file) for file in _files()}

_ISA, _MACHINERY = f"{_ROOT / 'isa'}/", f"{_ROOT / 'isa' / 'machinery'}/"
_IMPORT = re.compile(r"(rvplat\.isa[\w.]*)(?: import ([^\n(]+|\([^)]*\)))?")


def _is_own(file: str) -> bool:
    """Whether a file is in `isa`, and not of its machinery."""
    return file.startswith(_ISA) and not file.startswith(_MACHINERY)


def _file_of(module: str) -> str:
    """The file of a module of rvplat."""
    return f"{_ROOT.parent}/{module.replace('.', '/')}.py"


def _with_imports(files: Iterable[str]) -> set[str]:
    """The files, and those of `isa` that they import, directly or not."""
    found: set[str] = set()
    waiting = list(files)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            for module, names in _IMPORT.findall(_AT_IMPORT[file]):
                inner = (f"{module}.{name}" for name in re.findall(r"\w+", names))
                named = [_file_of(one) for one in (module, *inner)]
                waiting += [one for one in named if one in _AT_IMPORT]
    return found


BASE_FILES = frozenset(
    _with_imports(file for file in _AT_IMPORT if not _is_own(file) or file in _HELPERS)
)
"""The files on which every part depends: all but those of `isa` that only extensions use."""


def base_modules() -> list[ModuleType]:
    """The modules of BASE_FILES that have definitions of harts."""
    paths = [Path(file).relative_to(_ROOT) for file in sorted(BASE_FILES)]
    names = [".".join(path.with_suffix("").parts) for path in paths if path.name != "__init__.py"]
    wanted = [name for name in names if name.startswith(("hart.", "isa."))]
    return [importlib.import_module(f"rvplat.{name}") for name in wanted]


def unchanged() -> bool:
    """Whether every file of rvplat still has the text that it had when it was imported.

    The compiler is imported only when it is needed, so its code may be cached only if this holds.
    """
    return all(read_source(file) == text for file, text in _AT_IMPORT.items())


def digest(architecture: Architecture) -> str:
    """The digest of every text, row and layout on which the base part depends."""
    return hashed(_base_texts(architecture.base))


def digest_of(extension: Extension, layout: Record) -> str:
    """The digest of what an extension's part depends on, besides `digest`: its texts and rows, and
    the offsets of the fields that they name."""
    return hashed(_own_texts(extension, layout))


def digest_of_all(architecture: Architecture) -> str:
    """The digest of every file on which native code of what ships can depend, and of the
    records."""
    return hashed([*_texts(_AT_IMPORT), *_records(architecture)])


def is_shipped(extension: Extension) -> bool:
    """Whether an extension and its rows, as far as they are imported, are all from files of rvplat.
    A plugin may add rows to an extension that ships."""
    rows = (
        row.place
        for some in (extension._instructions, extension._compressed_forms, extension._csrs)
        for row in some
    )
    return all(_file_in(place) in _AT_IMPORT for place in (extension.place, *rows))


def _file_in(place: str) -> str:
    """The file of a place, FILE:LINE."""
    return place.rpartition(":")[0]


def digest_of_definitions(definitions: Iterable[Definition]) -> str:
    """The digest of definitions outside the layers of native code: of their files, and of the
    constants that they name."""
    found = list(definitions)
    files = {one.file: one.text for one in found}
    constants = {
        f"{name} = {thing!r}"
        for one in found
        for name, thing in _reached(one)
        if isinstance(thing, int | float | str)
    }
    return hashed([*(files[name] for name in sorted(files)), *sorted(constants)])


def hashed(texts: Iterable[str]) -> str:
    """The digest of texts."""
    found = hashlib.sha256()
    for text in texts:
        found.update(text.encode() + b"\0")
    return found.hexdigest()


def _base_texts(architecture: Architecture) -> Iterator[str]:
    yield f"XLEN {architecture.xlen} {architecture.constants}"
    definitions: list[Definition] = []
    for extension in architecture.extensions:
        yield from _csr_rows(extension, definitions)
    yield from _texts(BASE_FILES)
    yield from _records(architecture)
    yield from (text for text, _ in _foreign(definitions))


def _records(architecture: Architecture) -> Iterator[str]:
    """The records of a hart and of the machine. Modules add to them in the order of imports, which
    differs from process to process."""
    for record in (architecture.layout, MachineState):
        yield repr([(f.name, f.offset, f.count) for f in record.fields.values()])


def _texts(files: Iterable[str]) -> Iterator[str]:
    for path in sorted(files):
        yield path.removeprefix(str(_ROOT))
        yield text_of(path) or _AT_IMPORT[path]


def _own_texts(extension: Extension, layout: Record) -> Iterator[str]:
    definitions: list[Definition] = []
    yield from _rows(extension, definitions)
    yield from _csr_rows(extension, definitions)
    named = {row.name for row in extension.csrs}
    if extension.rows_in:  # its rows are made of texts of other modules than their own
        files = _with_imports(_file_of(module) for module in extension.rows_in)
        yield from _texts(files - BASE_FILES)
        named.update(layout.fields)
    for text, names in _foreign(definitions):
        yield text
        named.update(names)
    for name in sorted(named & layout.fields.keys()):
        place = layout.fields[name]
        yield f"{name} {place.type} {place.offset} {place.count}"


def _rows(extension: Extension, definitions: list[Definition]) -> Iterator[str]:
    """An extension's instructions as text. Adds their definitions to `definitions`."""
    yield f"{extension.name} {extension.version}"
    rows: list[Row] = [*extension.instructions, *extension.compressed_forms]
    for row in rows:
        instruction = row if isinstance(row, Instruction) else row.expands
        yield f"{row.name} {row.pattern.text} {row.pattern.conditions} {instruction.name}"
        definitions.append(instruction.definition)


def _csr_rows(extension: Extension, definitions: list[Definition]) -> Iterator[str]:
    """An extension's CSRs as text. Adds the definitions that they name to `definitions`."""
    for csr in extension.csrs:
        yield f"{csr.name} {csr.number} {csr.writable} {csr.storage}"
        definitions += [d for d in (csr.read, csr.write, csr.access) if d is not None]


# --- definitions outside the base files; those of plugins may be in any file ----------------------


def _foreign(waiting: list[Definition]) -> Iterator[tuple[str, Sequence[str]]]:
    """The files of all reached definitions, but the base files, and the constants that they use, as
    texts; with each text, the names that it uses. Files of `isa` come with what they import."""
    seen: set[int] = set()
    shipped: set[str] = set()
    while waiting:
        definition = waiting.pop()
        if definition.file in _AT_IMPORT:
            shipped.add(definition.file)
            continue
        if id(definition) in seen:
            continue
        seen.add(id(definition))
        yield f"{definition.name} {definition.text}", definition.function.__code__.co_names
        for name, thing in _reached(definition):
            if isinstance(thing, Definition):
                waiting.append(thing)
            elif isinstance(thing, int | float | str):
                yield f"{name} = {thing!r}", ()
    yield from ((text, ()) for text in _texts(_with_imports(shipped) - BASE_FILES))


def _reached(definition: Definition) -> Iterator[tuple[str, Any]]:
    """The objects that the names in a definition stand for, also within modules and classes."""
    names = definition.globals
    code = definition.function.__code__
    for name in (*code.co_names, *code.co_freevars):
        thing = names.get(name)
        yield name, thing
        if isinstance(thing, ModuleType | type):
            for inner in code.co_names:
                yield f"{name}.{inner}", getattr(thing, inner, None)
