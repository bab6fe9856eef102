"""Every key has a line, and it is the right one."""

from __future__ import annotations

import tomli
from hypothesis import given
from hypothesis import strategies as st

from rvplat.machine.boards.toml_lines import KeyPath, locate

DOCUMENT = '''\
# a comment [not.a.table]
top = 1
"quoted key" = "a # no comment"
dotted.key.here = true

[table]   # with a comment
text = """
[not.a.table]
key = 1 \\""" still text""""
raw = \'\'\'
x = 'y'
\'\'\'
array = [
    1, # one
    [2, 3],
    { inline = 4, "in.side" = { deep = 5 } },
]
date = 1979-05-27 07:32:00

[table.below]
a = { b = 1, c.d = 2 }

[[list]]
name = 'first'
[list.sub]
x = 1
[[list]]
name = "second"
[[list.inner]]
y = 1
[[list.inner]]
y = 2

["esc\\u0061ped"]
last = -16
'''


def paths(value: object, path: KeyPath = ()) -> set[KeyPath]:
    """Every path of a parsed document."""
    found: set[KeyPath] = {path} if path else set()
    if isinstance(value, dict):
        return found.union(*(paths(item, (*path, key)) for key, item in value.items()))
    if isinstance(value, list):
        return found.union(*(paths(item, (*path, index)) for index, item in enumerate(value)))
    return found


def test_every_key_has_its_line() -> None:
    lines = locate(DOCUMENT)
    assert lines == {
        ("top",): 2,
        ("quoted key",): 3,
        ("dotted",): 4,
        ("dotted", "key"): 4,
        ("dotted", "key", "here"): 4,
        ("table",): 6,
        ("table", "text"): 7,
        ("table", "raw"): 10,
        ("table", "array"): 13,
        ("table", "array", 0): 14,
        ("table", "array", 1): 15,
        ("table", "array", 1, 0): 15,
        ("table", "array", 1, 1): 15,
        ("table", "array", 2): 16,
        ("table", "array", 2, "inline"): 16,
        ("table", "array", 2, "in.side"): 16,
        ("table", "array", 2, "in.side", "deep"): 16,
        ("table", "date"): 18,
        ("table", "below"): 20,
        ("table", "below", "a"): 21,
        ("table", "below", "a", "b"): 21,
        ("table", "below", "a", "c"): 21,
        ("table", "below", "a", "c", "d"): 21,
        ("list",): 23,
        ("list", 0): 23,
        ("list", 0, "name"): 24,
        ("list", 0, "sub"): 25,
        ("list", 0, "sub", "x"): 26,
        ("list", 1): 27,
        ("list", 1, "name"): 28,
        ("list", 1, "inner"): 29,
        ("list", 1, "inner", 0): 29,
        ("list", 1, "inner", 0, "y"): 30,
        ("list", 1, "inner", 1): 31,
        ("list", 1, "inner", 1, "y"): 32,
        ("escaped",): 34,
        ("escaped", "last"): 35,
    }
    assert set(lines) == paths(tomli.loads(DOCUMENT))


def test_a_table_opened_after_its_child_has_its_own_line() -> None:
    assert locate("[a.b]\nx = 1\n[a]\ny = 2\n")[("a",)] == 3


def test_line_ends_of_other_systems() -> None:
    assert locate("a = 1\r\n\r\n[b]\r\nc = '''\r\n\r\n'''\r\nd = 2\r\n")[("b", "d")] == 7


KEYS = st.text("ab c.\"'é#=[", min_size=1, max_size=4)
VALUES = st.recursive(
    st.one_of(st.integers(-9, 9), st.booleans(), st.text("ab\"'#\n]},\\", max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)


def written(value: object) -> str:
    """A value in TOML syntax, with inline tables."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str() if "'" not in value and "\n" in value and "\\" not in value:
            return f"'''{value}'''" if not value.startswith("\n") else f"'''\n{value}'''"
        case str():
            return quoted(value)
        case list():
            return "[\n" + ",\n".join(written(item) for item in value) + "]"
        case dict():
            pairs = (f"{quoted(key)} = {written(item)}" for key, item in value.items())
            return "{ " + ", ".join(pairs) + " }"
    raise AssertionError(value)


def quoted(text: str) -> str:
    """A TOML basic string."""
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


@given(st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
def test_whatever_tomli_reads_is_located(tables: dict[str, dict[str, object]]) -> None:
    text = ""
    for name, table in tables.items():
        text += f"[{quoted(name)}] # [x]\n"
        text += "".join(f"{quoted(key)} = {written(value)}\n\n" for key, value in table.items())
    parsed = tomli.loads(text)
    assert parsed == tables
    lines = locate(text)
    assert set(lines) == paths(parsed)
    rows = text.splitlines()
    for path, line in lines.items():
        if len(path) <= 2:
            assert quoted(str(path[-1])) in rows[line - 1]
