"""Records have the layout of C structures, and views read and write them."""

import ctypes
from typing import Any

import pytest

from rvplat.lang import Record, ptr, s32, u8, u16, u32, u64


def pair() -> Any:
    inner = Record("Inner")
    inner.add("a", u8)
    inner.add("b", u32)
    outer = Record("Outer")
    outer.add("flag", u8)
    outer.add("value", s32)
    outer.add("list", u16, 3)
    outer.add("inner", inner, 2)
    outer.add("next", ptr(inner))
    return inner, outer


def test_layout_is_c_s() -> None:
    class Inner(ctypes.Structure):
        _fields_ = [("a", ctypes.c_uint8), ("b", ctypes.c_uint32)]

    inner, outer = pair()
    assert inner.size == ctypes.sizeof(Inner)
    offsets = {name: field.offset for name, field in outer.fields.items()}
    assert offsets == {"flag": 0, "value": 4, "list": 8, "inner": 16, "next": 32}


def test_views_read_and_write_memory() -> None:
    inner, outer = pair()
    memory = ctypes.create_string_buffer(outer.size)
    view = outer.view(ctypes.addressof(memory))
    view.value = -5
    view.list[2] = 0xBEEF
    view.inner[1].b = 7
    view.next = view.inner[1]
    assert memory.raw[4:8] == (-5 & 0xFFFFFFFF).to_bytes(4, "little")
    assert view.list[2] == 0xBEEF
    assert view.next.b == 7
    assert view.next == view.inner[1]
    assert type(view.value) is s32


def test_mistakes_are_named() -> None:
    _, outer = pair()
    memory = ctypes.create_string_buffer(outer.size)
    view = outer.view(ctypes.addressof(memory))
    with pytest.raises(AttributeError, match="^Outer has no field 'nothing'$"):
        view.nothing  # noqa: B018
    with pytest.raises(IndexError, match=r"^list\[3\]: it has 3$"):
        view.list[3]
    with pytest.raises(TypeError, match="^s32 with u64: convert one of them first$"):
        view.value = u64(1)
    with pytest.raises(TypeError, match=r"^Outer.flag is already there$"):
        outer.add("flag", u8)


def test_a_layout_that_is_in_use_stays() -> None:
    _, outer = pair()
    assert outer.size == 40
    with pytest.raises(TypeError, match=r"^Outer.more comes too late: the layout is in use$"):
        outer.add("more", u8)


def test_an_extended_record_begins_as_the_one_that_it_extends() -> None:
    _, outer = pair()
    longer, other = outer.extended(), outer.extended()
    longer.add("more", u64, 2)
    other.add("else", u8)
    assert (longer.core, longer.extended().core) == (outer, outer)
    assert "more" not in outer.fields and "more" not in other.fields
    assert {n: longer.fields[n] for n in outer.fields} == outer.fields
    assert longer.fields["more"].offset == 40
    with pytest.raises(TypeError, match=r"^Outer.late comes too late"):
        outer.add("late", u8)
    memory = ctypes.create_string_buffer(longer.size)
    view = longer.view(ctypes.addressof(memory))
    view.more[1], view.value = 7, -1
    plain = longer.plain(ctypes.addressof(memory))
    assert (plain.more[1], plain.value) == (7, -1)


def test_clearing_an_array_clears_nothing_else() -> None:
    _, outer = pair()
    memory = ctypes.create_string_buffer(b"\xff" * outer.size, outer.size)
    view = outer.view(ctypes.addressof(memory))
    view.list.clear()
    assert [int(element) for element in view.list] == [0, 0, 0]
    assert memory.raw == b"\xff" * 8 + bytes(6) + b"\xff" * (outer.size - 14)
