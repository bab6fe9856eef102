"""Zkr: the CSR `seed`, and who may access it."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import pytest

from rvplat import Machine
from tests.h.bench import ALL_MODES, Bench, csr_word, word
from tests.h.conftest import MakeBench
from tests.h.section import section
from tests.machine.small_guests import POWER_OFF, guest

SEED = "The seed CSR"
ACCESS = "Access Control to seed"
USEED, SSEED = 1 << 8, 1 << 9
ES16, DEAD = 2 << 30, 3 << 30
_CALL: Any = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * 4)


@pytest.fixture
def source(bench: Bench) -> Iterator[Bench]:
    """A bench whose source counts its numbers: 0xA001, 0xA002, ..."""
    call = _CALL(lambda hart, index, b, c: 0xFFFF_0000_A001 + index)
    bench.hart.seed_fn = ctypes.cast(call, ctypes.c_void_p).value
    bench.hart.seed_index = 0
    yield bench
    bench.hart.seed_fn = 0


def read(bench: Bench) -> int:
    """csrrw x5, seed, x0."""
    assert bench.step(csr_word("csrrw", "seed", rd=5, rs1=0), "M") is None
    return int(bench.hart.x[5])


@section(SEED)
def test_each_number_comes_once(source: Bench) -> None:
    assert [read(source) for _ in range(3)] == [ES16 | 0xA001, ES16 | 0xA002, ES16 | 0xA003]


@section(SEED)
def test_a_number_that_was_not_read_is_used_up(source: Bench) -> None:
    """csrrw with rd = x0 signals flushing too; the written value is ignored."""
    source.hart.x[6] = 0x1234
    assert source.step(csr_word("csrrw", "seed", rd=0, rs1=6), "M") is None
    assert read(source) == ES16 | 0xA002


@section(SEED)
def test_a_debugger_takes_no_number(source: Bench) -> None:
    assert source["seed"] == source["seed"] == ES16 | 0xA001
    assert read(source) == ES16 | 0xA001


@section(SEED)
@pytest.mark.parametrize("op", ["csrrs", "csrrc", "csrrsi", "csrrci"])
def test_read_only_accesses_are_illegal(source: Bench, op: str) -> None:
    operand = "zimm" if op.endswith("i") else "rs1"
    bits = word(op, csr=0x15, rd=5, **{operand: 0})
    source["mseccfg"] = USEED | SSEED
    for mode in ALL_MODES:
        assert source.outcome(bits, mode) == "illegal"
    bits = word(op, csr=0x15, rd=5, **{operand: 7})
    assert source.outcome(bits, "M") == "ok"
    assert source.hart.x[5] == ES16 | 0xA001


@section(ACCESS)
@pytest.mark.parametrize("useed", [0, USEED])
@pytest.mark.parametrize("sseed", [0, SSEED])
def test_who_may_access_it(source: Bench, useed: int, sseed: int) -> None:
    source["mseccfg"] = useed | sseed
    assert source["mseccfg"] == useed | sseed
    virtual = "virtual" if sseed else "illegal"
    expected = {"M": "ok", "HS": "ok" if sseed else "illegal", "U": "ok" if useed else "illegal",
                "VS": virtual, "VU": virtual}  # fmt: skip
    bits = csr_word("csrrw", "seed", rs1=0)
    assert {mode: source.outcome(bits, mode) for mode in ALL_MODES} == expected


@section("Machine Security Configuration (mseccfg) Register")
def test_the_fields_need_zkr_and_start_as_zero(make: MakeBench) -> None:
    bench = make()
    assert bench["mseccfg"] == 0
    bench = make("zkr zk")
    bench["mseccfg"] = USEED | SSEED
    assert bench["mseccfg"] == 0
    assert bench.outcome(csr_word("csrrw", "seed", rs1=0), "M") == "illegal"


@section(SEED)
def test_without_a_source_it_is_dead(bench: Bench) -> None:
    assert read(bench) == DEAD


#: Stores sixteen numbers in `numbers`.
DRAW = (
    """
  la a0, numbers
  li a1, 16
1: csrrw t0, 0x15, x0
  sw t0, 0(a0)
  addi a0, a0, 4
  addi a1, a1, -1
  bnez a1, 1b
"""
    + POWER_OFF
    + "\n.data\n.balign 8\n.globl numbers\nnumbers: .skip 64\n"
)
ZKR = "rv64imac_zicsr_zk"


def drawn(**settings: object) -> list[int]:
    """The numbers that a guest gets in a first run; after a reset they may be the same."""
    with Machine.open(program=guest(DRAW), settings={"harts.isa": ZKR, **settings}) as machine:
        numbers = []
        for _ in range(2):
            assert machine.run(timeout_s=60).reason == "off"
            at = machine.symbols["numbers"]
            numbers += [machine.memory.read_int(at + 4 * i, 4) for i in range(16)]
            machine.reset()
    return numbers


@section("rvplat: seeds")
@pytest.mark.parametrize("settings", [{"clock": "virtual"}, {"harts.seed": 7}])
def test_runs_with_a_seed_are_the_same(settings: dict[str, object]) -> None:
    numbers = drawn(**settings)
    assert numbers == drawn(**settings)
    assert numbers[:16] == numbers[16:]
    assert {number & ~0xFFFF for number in numbers} == {ES16}
    assert len({*numbers}) > 12
    assert numbers != drawn(**{"harts.seed": 8})


@section("rvplat: seeds")
def test_without_a_seed_they_are_random() -> None:
    numbers = drawn()
    assert len({*numbers}) > 28
    assert numbers != drawn()
