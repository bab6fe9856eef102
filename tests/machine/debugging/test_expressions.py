"""Conditions: compiled, and run as bytecode."""

from __future__ import annotations

import random

import pytest

from rvplat.engine.agent import STACK
from rvplat.gdb.evaluation import bytecode
from rvplat.gdb.protocol.errors import GdbError
from rvplat.machine.debugging.errors import DebuggingError
from rvplat.machine.debugging.expressions import Register, compile_expression

MASK = (1 << 64) - 1
REGISTERS = {
    "a0": Register(10, signed=True), "a1": Register(11, signed=True), "pc": Register(32),
    "mstatus": Register(65 + 0x300), "mstatus.MPP": Register(65 + 0x300, 12, 11),
    "satp.MODE": Register(65 + 0x180, 63, 60),
}  # fmt: skip
VALUES = {10: 3, 11: MASK - 1, 32: 0x8000_0000, 65 + 0x300: 0b11 << 11 | 1, 65 + 0x180: 8 << 60}
SYMBOLS = {"counter": 0x8000_1000, "high": 0xFFFF_FFFF_8000_0000}


class State:
    """Memory whose bytes are their addresses' lowest."""

    def register(self, number: int) -> int:
        return VALUES[number]

    def memory(self, address: int, size: int) -> bytes:
        if address < 0x100:
            raise GdbError("not mapped")
        return bytes((address + n) & 0xFF for n in range(size))


def register(name: str) -> Register:
    if name not in REGISTERS:
        raise DebuggingError(f"there is no register ${name}")
    return REGISTERS[name]


def value(text: str) -> int:
    """What an expression gives."""
    code = compile_expression(text, register, SYMBOLS)
    bytecode.check(code)
    return bytecode.Evaluator(State(), print).run(code)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0), ("42", 42), ("0xFFFFFFFFFFFFFFFF", MASK), ("010", 10),
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 3 - 2", 5), ("7 / 2", 3), ("-7 / 2", MASK - 2),
        ("7 % 3", 1), ("1 << 63 >> 63", MASK), ("0x8000000000000000 >> 63", 1),
        ("1 | 6 & 4 ^ 1", 1 | (6 & 4) ^ 1), ("~0", MASK), ("-1", MASK), ("!5", 0), ("!!5", 1),
        ("1 == 1", 1), ("1 != 1", 0), ("2 < 1", 0), ("2 > 1", 1), ("2 <= 2", 1), ("3 >= 4", 0),
        ("-1 < 1", 1), ("0xffffffffffffffff < 1", 0), ("-1 < 0xffffffffffffffff", 0),
        ("$a0 == 3", 1), ("$a1 < 0", 1), ("$a1", MASK - 1), ("$pc == 0x80000000", 1),
        ("$pc >= high", 0), ("$mstatus.MPP", 3), ("$mstatus & 1", 1), ("$satp.MODE == 8", 1),
        ("counter + 8", 0x8000_1008), ("{u8} counter", 0), ("{u16}(counter + 1)", 0x0201),
        ("{u32} (counter+0xfc)", 0xFFFEFDFC), ("{s32} (counter + 0xfc)", 0xFFFF_FFFF_FFFE_FDFC),
        ("{ s8 } (counter + 0x80) < 0", 1), ("{u8} (counter + 0x80) < 0", 0),
        ("{u64} counter == 0x0706050403020100", 1), ("-{u8} (counter + 1)", MASK),
        ("$a0 == 3 && $a1 == -2", 1), ("$a0 == 4 && {u8} 0", 0), ("$a0 == 3 || {u8} 0", 1),
        ("0 || 0 || 7", 1), ("1 && 2 && 0", 0), ("0 && 1 || 1", 1), ("1 || 0 && 0", 1),
        ("(0 || 1) + 1", 2), ("1 == 1 == 1", 1),
    ],
)  # fmt: skip
def test_a_value(text: str, expected: int) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "'': expected a value, found its end"),
        ("1 +", "'1 +': expected a value, found its end"),
        ("(1", "'(1': expected ), found its end"),
        ("1)", "'1)': expected an operator, found ')' at 1"),
        ("1 2", "'1 2': expected an operator, found '2' at 2"),
        ("* 1", "'* 1': expected a value, found '*' at 0"),
        ("$a0 = 3", "'$a0 = 3': found '= 3', which is no part of an expression"),
        ("1x", "'1x': found '1x', which is no part of an expression"),
        ("0x1ffffffffffffffff", "0x1ffffffffffffffff has more than 64 bits"),
        ("$a77", "there is no register $a77"),
        ("a0", "'a0' is no symbol of the program; registers begin with $"),
        ("{u128} 0", "'{u128} 0': found '{u128} 0', which is no part of an expression"),
        ("(" * 41 + "1" + ")" * 41, f"{'(' * 40!r}...: nested more than 40 deep"),
        ("!" * 50 + "1", f"{'!' * 40!r}...: nested more than 40 deep"),
        ("1|" * 600 + "1", "the expression has 1201 characters: 1000 are allowed"),
        ("1 \x00", "'1 \\x00': found '\\x00', which is no part of an expression"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str) -> None:
    with pytest.raises(DebuggingError) as error:
        value(text)
    assert str(error.value) == problem


def test_more_values_than_the_stack_has() -> None:
    """Each parenthesis leaves what is before it on the stack."""
    one = "1|1^1&1==1<1<<1+1*("
    with pytest.raises(DebuggingError, match="too many values at once"):
        value(one * 30 + "1" + ")" * 30)
    assert value(one * 5 + "1" + ")" * 5) == 1
    assert STACK >= 64


def test_what_python_makes_of_it() -> None:
    """Random sums of unsigned numbers, where C and Python agree."""
    source = random.Random(5)
    for _ in range(300):
        parts = [hex(source.randrange(1 << 62, 1 << 63))]
        for _ in range(source.randrange(1, 8)):
            parts += [source.choice("+-&|^"), str(source.randrange(1 << 60))]
        text = " ".join(parts)
        assert value(text) == eval(text) & MASK, text


def test_all_that_is_read_is_text_or_an_error() -> None:
    source = random.Random(6)
    words = "( ) $a0 $pc 1 0x8 + - * / % & && | || ! ~ < << == {u8} counter ^ $x ."
    for _ in range(3000):
        text = " ".join(source.choice(words.split()) for _ in range(source.randrange(12)))
        try:
            code = compile_expression(text, register, SYMBOLS)
        except DebuggingError:
            continue
        bytecode.check(code)
