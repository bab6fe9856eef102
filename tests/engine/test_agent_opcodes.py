"""The table of agent opcodes, and what native code makes of it."""

from __future__ import annotations

from rvplat.engine import agent
from rvplat.engine import agent_opcodes as opcodes
from rvplat.engine.agent_opcodes import OPCODES
from rvplat.lang import u64


def test_native_code_takes_the_sizes_of_the_table() -> None:
    for code in range(256):
        expected = OPCODES[code].immediate if code in OPCODES else 0
        assert int(agent.operand_size(u64(code))) == expected, hex(code)


def test_the_binary_opcodes_are_those_that_make_one_value_of_two() -> None:
    found = [
        n
        for n in range(256)
        if agent.is_one_of(u64(n), u64(opcodes.codes_where(opcodes.is_binary)))
    ]
    assert found == [*range(opcodes.ADD, opcodes.RSH_UNSIGNED + 1),
                     *range(opcodes.BIT_AND, opcodes.BIT_XOR + 1),
                     *range(opcodes.EQUAL, opcodes.LESS_UNSIGNED + 1)]  # fmt: skip


def test_names_and_codes_are_the_manuals() -> None:
    """A sample of "Bytecode Descriptions" in the GDB manual."""
    names = {0x02: "add", 0x16: "ext", 0x20: "if_goto", 0x26: "reg", 0x32: "pick", 0x33: "rot"}
    assert {code: OPCODES[code].name for code in names} == names
    assert len({one.name for one in OPCODES.values()}) == len(OPCODES)
