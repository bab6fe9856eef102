"""The index of an architecture, and the decoder's tables, as the cache keeps them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from rvplat.engine.architecture import Architecture
from rvplat.engine.decode_table import Table, build_table
from rvplat.engine.index import Index, index_key, make_index
from rvplat.engine.native import Core
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.rv_m import Zmmul
from rvplat.isa.rv_v import Zve32x
from rvplat.machine.boards.extensions import architecture_for
from tests.engine.native_bench import twin


def nothing(hart: Any) -> None:
    """A meaning for a row."""


def test_the_kept_index_is_the_one_that_was_made() -> None:
    made = make_index(twin().core.architecture)
    kept = Index.from_bytes(made.to_bytes())
    assert (kept.base, kept.pairs_key, kept.parts) == (made.base, made.pairs_key, made.parts)
    assert (kept.own, kept.order) == (made.own, made.order)
    assert [tuple(pair) for pair in kept.pairs] == made.pairs
    assert twin().core.index.parts == made.parts


def test_the_kept_tables_decode_as_those_that_were_made() -> None:
    core = twin().core
    extensions = core.architecture.extensions
    numbers = {key: n for n, key in enumerate(core.index.order)}
    entries = partial(core.architecture.enabled_entries, extensions)
    made = build_table(entries, numbers)
    kept = Table.from_bytes(made.to_bytes(), entries)
    fast, near = range(1, len(numbers) + 1), range(1000, 1000 + len(numbers))
    for table in (made, kept):
        table.place(fast, near)
    assert kept.to_bytes() == made.to_bytes()
    number = 5
    form = core.index.order[kept.forms[number]]
    entry = kept.entries[number]
    assert form == f"{entry.instruction.name}.{entry.pattern.length}"
    assert kept.rows[number].match == entry.pattern.match
    assert kept.rows[number].handler == fast[numbers[form]]
    assert kept.rows[number].near_handler == near[numbers[form]]


def test_no_index_is_kept_of_what_a_plugin_adds() -> None:
    plain = architecture_for((), True, [Zve32x])
    assert index_key(plain) != ""
    assert index_key(architecture_for((Extension("Xindex", "0.1", "draft"),), True)) == ""
    Zmmul.instruction("0000001 00000 00000 000 00000 0001011", "nothing")(nothing)
    try:
        assert index_key(plain) == "", "a row of an extension that ships"
    finally:
        Zmmul._instructions.pop()


def test_the_key_is_of_the_records_as_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes import modules in different orders, and so have their fields in different ones."""
    architecture = architecture_for((), True)
    before = index_key(architecture)
    fields = architecture.layout.fields
    monkeypatch.setitem(fields, "x", replace(fields["x"], offset=fields["x"].offset + 8))
    assert index_key(architecture) != before


def test_the_key_tells_architectures_apart() -> None:
    made = [
        architecture_for((), True), architecture_for((), False), architecture_for((), None),
        architecture_for((), True, [Zve32x]), architecture_for((), True, xlen=32),
    ]  # fmt: skip
    shipped = made[0].shipped
    made.append(Architecture(shipped[:-1], shipped[-1:]))
    assert len({index_key(one) for one in made}) == len(made)


def test_another_index_finds_the_same_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a file on which no part depends leaves the parts as they are."""
    architecture = twin().core.architecture
    monkeypatch.setattr("rvplat.engine.index.digest_of_all", lambda architecture: "changed")
    assert Core(architecture).compiled == {}


STATE = """
from rvplat.machine.boards.catalogue import shipped_extensions
lazy = [one for one in shipped_extensions().values() if one.rows_in]
def found():
    return [([row.name for row in one.csrs], one.states[:]) for one in lazy]
before = found()
for one in lazy:
    one.instructions
print([one.name for one, a, b in zip(lazy, before, found()) if a != b])
"""


@pytest.mark.slow
def test_state_in_names_all_modules_with_csrs_and_states() -> None:
    done = subprocess.run([sys.executable, "-c", STATE], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


WARM = """
import sys
from rvplat import Machine
settings = {"harts.isa": "rva23s64", "harts.regions": "off"}
with Machine.open("virt", program="demo", settings=settings) as machine:
    machine.run(max_instructions=1000)
print([name for name in sorted(sys.modules) if name.startswith("rvplat.isa.vector.")])
"""


@pytest.mark.slow
def test_a_warm_start_imports_no_rows_of_vectors() -> None:
    for _ in range(2):  # the first run compiles, if the cache is empty
        done = subprocess.run(
            [sys.executable, "-c", WARM], capture_output=True, text=True, check=True
        )
    assert done.stdout.splitlines()[-1] == "['rvplat.isa.vector.state']"
