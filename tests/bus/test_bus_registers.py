"""Register tables: invalid tables are refused, and accesses find their row."""

from __future__ import annotations

import pytest

from rvplat.bus import Device, Hole, Register
from rvplat.errors import BusError, DeviceError


class Sample(Device):
    """Rows of every kind."""

    model = "sample"
    size = 0x100
    registers = (
        Register(0x00, "PLAIN", "-[31:8] VALUE[7:0]", reset=5),
        Register(0x04, "FIXED", "VALUE[31:0]", "ro", reset=0x1234),
        Register(0x08, "ACTION", "VALUE[31:0]", "wo"),
        Register(0x10, "WIDE", "VALUE[63:0]", width=8, widths=(4, 8)),
        Register(0x20, "ARRAY", "VALUE[31:0]", count=3, stride=8),
        Register(0x40, "BYTE", "VALUE[7:0]", width=1, widths=(1, 4)),
        Register(0x50, "SINGLE", "VALUE[31:0]", count=1),
        Hole(0x60, 0x10, widths=(4,)),
    )
    state = ("actions",)
    plain: int
    wide: int
    array: list[int]

    def reset(self) -> None:
        super().reset()
        self.actions: list[int] = []

    def write_action(self, value: int) -> None:
        self.actions.append(value)


def test_plain_register_keeps_named_bits_only() -> None:
    device = Sample()
    assert device.read(0, 4) == 5
    device.write(0, 4, 0xFFFF_FFFF)
    assert device.read(0, 4) == 0xFF == device.plain


def test_read_only_and_write_only() -> None:
    device = Sample()
    device.write(4, 4, 1)
    assert device.read(4, 4) == 0x1234
    device.write(8, 4, 7)
    assert device.read(8, 4) == 0
    assert device.actions == [7]


def test_wide_register_by_halves() -> None:
    device = Sample()
    device.write(0x10, 8, 0x1111_1111_2222_2222)
    device.write(0x14, 4, 0x3333_3333)
    assert device.read(0x10, 8) == 0x3333_3333_2222_2222
    assert [device.read(0x10, 4), device.read(0x14, 4)] == [0x2222_2222, 0x3333_3333]


def test_array_and_array_of_one() -> None:
    device = Sample()
    device.write(0x28, 4, 9)
    assert device.array == [0, 9, 0]
    device.write(0x50, 4, 3)
    assert device.read(0x50, 4) == 3


def test_narrow_register_in_a_wide_access() -> None:
    device = Sample()
    device.write(0x40, 4, 0x1_0041)
    assert device.read(0x40, 4) == 0x41


@pytest.mark.parametrize(
    ("offset", "size"),
    [(0x00, 1), (0x00, 8), (0x01, 4), (0x24, 4), (0x60, 8), (0x62, 4), (0x70, 4), (0x1000, 4)],
)
def test_accesses_that_no_register_answers(offset: int, size: int) -> None:
    device = Sample()
    with pytest.raises(BusError):
        device.read(offset, size)
    with pytest.raises(BusError):
        device.write(offset, size, 0)


def test_hole_reads_zero() -> None:
    device = Sample()
    device.write(0x6C, 4, 1)
    assert device.read(0x6C, 4) == 0


def test_state_is_saved_and_loaded() -> None:
    device, other = Sample(), Sample()
    device.write(0x10, 8, 77)
    device.write(0x20, 4, 3)
    device.write(0x08, 4, 1)
    other.load(device.save())
    device.write(0x20, 4, 99)
    assert (other.wide, other.array, other.actions) == (77, [3, 0, 0], [1])


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ("VALUE[6:0]", "register R: bit 7 is missing (reserved: -[high:low])"),
        ("A[7:3] B[3:0]", "register R: bit 3 is named twice (reserved: -[high:low])"),
        ("A[8] B[7:0]", "register R: a bit beyond its 8 bits"),
        ("A[7:0", "register R: 'A[7:0' is not NAME[bit] or NAME[high:low]"),
    ],
)
def test_every_bit_is_named_once(bits: str, message: str) -> None:
    with pytest.raises(DeviceError) as caught:
        Register(0, "R", bits, width=1)
    assert str(caught.value) == message


def test_two_rows_at_one_place_are_refused() -> None:
    with pytest.raises(DeviceError) as caught:

        class Clash(Device):
            size = 16
            registers = (
                Register(0, "ONE", "A[31:0]", "ro"),
                Register(0, "TWO", "A[31:0]", "wo"),
                Register(2, "THREE", "A[15:0]", width=2),
            )

    assert str(caught.value).endswith("Clash: THREE and ONE are both read at 0x2")


def test_a_row_beyond_the_window_is_refused() -> None:
    with pytest.raises(DeviceError) as caught:

        class Beyond(Device):
            size = 8
            registers = (Register(8, "FAR", "A[31:0]"),)

    assert str(caught.value).endswith("Beyond: FAR lies beyond the window")


def test_a_method_without_a_row_is_refused() -> None:
    with pytest.raises(DeviceError) as caught:

        class Stray(Device):
            size = 8

            def read_nothing(self) -> int:
                return 0

    assert str(caught.value).endswith("Stray.read_nothing: no register has this name")


def test_a_register_does_not_hide_the_class() -> None:
    with pytest.raises(DeviceError) as caught:

        class Hiding(Device):
            size = 8
            registers = (Register(0, "STATE", "A[31:0]"),)

    assert str(caught.value).endswith("Hiding.state; give it another name")


def test_fields_have_masks() -> None:
    row = Register(0, "R", "-[31:12] HIGH[11:8] -[7:1] LOW[0]")
    assert row.mask == 0xF01
    assert {field.name: field.mask for field in row.fields if field.name != "-"} == {
        "HIGH": 0xF00,
        "LOW": 1,
    }
