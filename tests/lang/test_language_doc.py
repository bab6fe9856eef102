"""docs/reference/language.md: its example is right, and what it says is refused is."""

import ctypes
import linecache
import re
from pathlib import Path
from typing import Any

import pytest

from rvplat.lang import Definition, LanguageError, u64
from rvplat.lang.checking.definitions import Definitions
from tests.lang.compiled import native

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "language.md").read_text("utf-8")
EXAMPLE = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]
REFUSED = re.findall(r"^\| `(.+?)` \| `(.+?)` \| ", TEXT.partition("## What is refused")[2], re.M)


def module(text: str, name: str) -> dict[str, Any]:
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "builtins"}
    exec(compile(text, name, "exec"), names)
    return names


def test_the_example_runs_both_ways() -> None:
    names = module(EXAMPLE, "<example>")
    run = native(names["example"])
    for a in (0, 9, 2**63 + 5, 2**64 - 1):
        memories = [ctypes.create_string_buffer(names["Counter"].size) for _ in range(2)]
        one, other = (names["Counter"].view(ctypes.addressof(memory)) for memory in memories)
        one.value = other.value = 2
        assert run(one, a) == names["example"](other, u64(a))
        assert bytes(memories[0]) == bytes(memories[1])


def test_many_refusals_are_shown() -> None:
    assert len(REFUSED) > 15


@pytest.mark.parametrize(("statement", "message"), REFUSED)
def test_a_refusal_says_what_the_page_says(statement: str, message: str) -> None:
    head = "@define\ndef refused(a: u64, b: u32, c: Counter) -> u64:\n"
    text = f"{EXAMPLE}\n{head}    {statement}\n    return a\n"
    made = module(text, f"<{statement}>")["refused"]
    assert isinstance(made, Definition)
    with pytest.raises(LanguageError, match=re.escape(message) + "$"):
        Definitions({}).body(made)
