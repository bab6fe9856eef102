"""Events of a definition, and memory that an observed thread leaves as it is."""

from __future__ import annotations

import ctypes
import threading
from pathlib import Path
from typing import Any

import pytest

from rvplat.lang import (
    Record,
    atomic_add_u64,
    compare_exchange_u64,
    copy_memory,
    define,
    event,
    fill_memory,
    observed,
    read_u64,
    u8,
    u64,
)
from rvplat.lang.native.dumps import Dumps
from rvplat.lang.native.functions import module_text
from rvplat.lang.native.objects import compile_text
from rvplat.lang.native.unit import Unit

Box = Record("Box")
Box.add("total", u64)
Box.add("cells", u64, 4)
Box.add("small", u8)


@event
def added(index: u64, value: u64) -> None:
    """A cell was added."""


@define
def total(box: Box, count: u64) -> u64:
    """The sum of some cells; it leaves it in the box."""
    found = u64(0)
    for i in range(count):
        found += box.cells[i]
        added(i, box.cells[i])
    box.total = found
    return found


@define
def total_untold(box: Box, count: u64) -> u64:
    """`total`, without the event."""
    found = u64(0)
    for i in range(count):
        found += box.cells[i]
    box.total = found
    return found


class Recorder:
    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def added(self, index: int, value: int) -> None:
        self.seen.append((index, value))


@pytest.fixture
def box() -> Any:
    memory = ctypes.create_string_buffer(Box.size)
    view = Box.view(ctypes.addressof(memory))
    for i in range(4):
        view.cells[i] = 10 * i
    yield view
    del memory


def test_an_observer_is_told_and_nothing_changes(box: Any) -> None:
    recorder = Recorder()
    with observed(recorder):
        assert total(box, u64(3)) == 30
        assert box.total == 30, "the thread reads what it wrote"
    assert recorder.seen == [(0, 0), (1, 10), (2, 20)]
    assert box.total == 0
    assert total(box, u64(3)) == 30, "without an observer nobody is told"
    assert (box.total, len(recorder.seen)) == (30, 3)


def test_no_way_of_writing_reaches_memory(box: Any) -> None:
    address = box._address + Box.fields["cells"].offset
    with observed(Recorder()):
        box.small = 7
        box.cells[3] = 1
        atomic_add_u64(u64(address), u64(5))
        compare_exchange_u64(u64(address + 8), u64(10), u64(11))
        copy_memory(u64(address + 16), u64(address), u64(8))
        assert [int(box.cells[i]) for i in range(4)] == [5, 11, 5, 1]
        fill_memory(u64(address), u8(0xFF), u64(8))
        assert read_u64(u64(address)) == 0xFFFF_FFFF_FFFF_FFFF
        box.cells.clear()
        assert (int(box.cells[1]), int(box.small)) == (0, 7)
    assert [int(box.cells[i]) for i in range(4)] == [0, 10, 20, 30]
    assert box.small == 0


def test_another_thread_is_not_observed(box: Any) -> None:
    recorder = Recorder()
    with observed(recorder):
        box.total = 1
        other = threading.Thread(target=total, args=(box, u64(2)))
        other.start()
        other.join()
        assert box.total == 1, "this thread has its copy"
    assert (box.total, recorder.seen) == (10, [])


def test_it_ends_with_an_error_and_is_not_nested() -> None:
    with pytest.raises(ZeroDivisionError), observed(Recorder()):
        raise ZeroDivisionError
    with (
        observed(Recorder()),
        pytest.raises(RuntimeError, match="observed already"),
        observed(Recorder()),
    ):
        pass


def test_an_event_is_nothing_in_native_code(tmp_path: Path) -> None:
    texts = []
    for definition in (total, total_untold):
        unit = Unit({})
        unit.export(definition, "total")
        made = tmp_path / definition.name
        compile_text(module_text(unit), Dumps(assembly=made))
        texts.append(made.read_text().replace("total_untold", "total"))
    assert texts[0] == texts[1]
