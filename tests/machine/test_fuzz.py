"""Random boards and files cause faults and clear errors, and no other exceptions."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rvplat.errors import LoaderError
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.check import check_board
from rvplat.machine.boards.toml_tree import Override, Source, TomlEntry, read_board
from rvplat.machine.loading.images import read_program
from tests.machine.programs import elf, linux_image

FOLDER = Path(__file__).parent / "board_files"
VALUES = st.recursive(
    st.one_of(
        st.integers(-(2**70), 2**70),
        st.booleans(),
        st.floats(),
        st.sampled_from(
            ["", "uart", "uart0", "intc", "intc2", "2G", "sv48", "rv64gc_zdraft", "x.img", "\0"]
        ),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["model", "base", "size", "x", ""]), inner, max_size=3),
    ),
    max_leaves=4,
)


def every_path(entry: TomlEntry, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every table and value."""
    found = [path] if path else []
    for key, inner in entry.table.items():
        found += every_path(inner, (*path, key))
    return found


def sample() -> Source:
    return read_board(str(FOLDER / "ok_plain.toml"), (FOLDER,))


PATHS = sorted(
    {
        *every_path(sample().root),
        ("boot",), ("boot", "reset_vector"), ("boot", "kernel"), ("clock",), ("new\nline",),
        ("devices", "uart0", "controller"), ("devices", "new"), ("memory", "new"), ("nonsense",),
    }
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=4))
def test_no_board_gets_a_traceback(
    catalogue: Catalogue, changes: list[tuple[tuple[str, ...], object]]
) -> None:
    overrides = [Override(path, value, "--set ...") for path, value in changes]
    source = read_board(str(FOLDER / "ok_plain.toml"), (FOLDER,), overrides)
    for fault in check_board(source, catalogue):
        assert "\n" not in str(fault)
        assert fault.found
        assert fault.expected


FILES = [
    elf([(0x8000_0000, b"code", 64)], symbols={"tohost": 1, "main": 2}),
    linux_image(256),
    b"\x1f\x8b\x08\x00" + bytes(64),
    b"MZ\0\0zimg" + bytes(64),
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(FILES),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=4),
    st.integers(0, 600),
)
def test_no_file_gets_a_traceback(
    tmp_path: Path, data: bytes, changes: list[tuple[int, int]], length: int
) -> None:
    changed = bytearray(data)
    for at, value in changes:
        changed[at % len(changed)] = value
    path = tmp_path / "file"
    path.write_bytes(changed[: max(1, length)])
    try:
        program = read_program(path, "the program")
    except LoaderError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
    else:
        assert program.segments
        dict(program.symbols)
