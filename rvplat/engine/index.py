"""The index of an architecture: what a start needs to know of the rows, without the rows.

A start with native code from the cache needs the keys of the parts, the names of the forms, and the
decoder's tables. To derive these, all rows have to be imported and looked through, and the texts of
each extension searched for what they import. That takes longer than to load the code. So the cache
keeps the index too. Its key has every file on which native code can depend: if one changes, the
index is made anew, and with its keys the cache still has the parts that the change does not touch.

No index is kept of rows that a plugin adds: their texts are anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from rvplat.engine.architecture import Architecture
from rvplat.engine.pairs import wanted_pairs
from rvplat.engine.sources import digest, digest_of, digest_of_all, hashed, is_shipped
from rvplat.frozen import frozen
from rvplat.isa.machinery.extension import Extension
from rvplat.lang.native.native_code import host_key


@frozen
class Index:
    """`base`: all that the base part depends on, as a key of the cache; `parts` the same for each
    extension with native code of its own, by name, and `pairs_key` for the pairs. `own`: the keys
    of the forms that each of these extensions adds to those before it; `order`: those of all forms.
    `pairs`: the keys of each pair's two forms, and the length of the first in bytes.
    """

    base: str
    parts: Mapping[str, str]
    own: Mapping[str, Sequence[str]]
    order: Sequence[str]
    pairs: Sequence[tuple[str, str, int]]
    pairs_key: str

    def to_bytes(self) -> bytes:
        """The index as bytes, for the cache."""
        return json.dumps(vars(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Index:
        """The index that `to_bytes` made these bytes from."""
        return cls(**json.loads(data))


def index_key(architecture: Architecture) -> str:
    """All that an architecture's index depends on; "" if a plugin has added to it."""
    if not all(is_shipped(one) for one in architecture.extensions):
        return ""
    added = {one.name for one in architecture.added}
    names = (f"{one.name} {one.name in added}" for one in architecture.extensions)
    which = f"{architecture.xlen} {architecture.compressed}"
    return "\n".join(["index", host_key(), digest_of_all(architecture), which, *names])


def make_index(architecture: Architecture) -> Index:
    """Look through all rows."""
    base = "\n".join([digest(architecture), host_key()])
    found = architecture.forms_by_extension
    with_part = [one for one in architecture.extensions if _has_part(architecture, one)]
    parts = {one.name: _part_key(architecture, one, base) for one in with_part}
    own = {one.name: [form.key for form in found[one]] for one in with_part}
    pairs = [(a.key, b.key, a.length) for a, b in wanted_pairs(architecture.base.forms)]
    order = [form.key for form in architecture.forms]
    return Index(base, parts, own, order, pairs, _pairs_key(architecture, base, parts, pairs))


def _has_part(architecture: Architecture, extension: Extension) -> bool:
    has_csrs = bool(extension.csrs) and extension in architecture.added
    return has_csrs or bool(architecture.forms_by_extension[extension])


def _part_key(architecture: Architecture, extension: Extension, base: str) -> str:
    constants = repr(architecture.constants_of(extension))
    forms = [form.key for form in architecture.forms_by_extension[extension]]
    return hashed([base, digest_of(extension, architecture.layout), constants, *forms])


def _pairs_key(
    architecture: Architecture, base: str, parts: Mapping[str, str],
    pairs: Sequence[tuple[str, str, int]],
) -> str:  # fmt: skip
    """The pairs' handlers depend on the extensions that own their forms."""
    keys = {key for a, b, _ in pairs for key in (a, b)}

    def owners() -> Iterator[str]:
        for one, forms in architecture.base.forms_by_extension.items():
            if not keys.isdisjoint(form.key for form in forms):
                yield parts[one.name]

    return hashed([base, *(f"{a} {b}" for a, b, _ in pairs), *owners()])
