"""The instructions of memory management: who may execute them, and what they do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rvplat.isa import sv, zicbo, zifencei
from rvplat.isa.machinery.extension import Instruction
from rvplat.isa.privileged import EnvCfg, Status
from tests.hart.memory_bench import DEFINITIONS, LEAF, RAM, A, Bench, D, Fault, R, V

PA = RAM + 0x3000
VA = 0x40_0000
ILLEGAL = 2
STORE_ACCESS, STORE_PAGE = 7, 15
FENCES: list[Instruction] = [sv.sfence_vma, sv.sinval_vma]
ROWS: list[Instruction] = [
    *FENCES, sv.sfence_w_inval, sv.sfence_inval_ir, zicbo.cbo_inval, zicbo.cbo_clean,
    zicbo.cbo_flush, zicbo.cbo_zero, zicbo.prefetch_i, zicbo.prefetch_r, zicbo.prefetch_w,
    zifencei.fence_i,
]  # fmt: skip
DEFINITIONS |= {row.definition.name: row.definition for row in ROWS}
DEFINITIONS["satp_access"] = sv.satp_access  # type: ignore[assignment]


def run(memory: Bench, row: Instruction, *operands: int) -> int | None:
    """Run an instruction at a place in RAM: the cause of its trap, if any."""
    memory.hart.pc = PA + 0x800
    result = memory.on(memory.hart, row.definition.name, *operands[: len(row.operands)])
    return result.cause if isinstance(result, Fault) else None


@pytest.mark.parametrize("row", FENCES, ids=lambda row: row.name)
def test_fences_belong_to_supervisor_mode_unless_tvm(memory: Bench, row: Instruction) -> None:
    memory.allow_all()
    for priv, mstatus, expected in [
        (3, 0, None), (3, Status.TVM, None), (1, 0, None), (1, Status.TVM, ILLEGAL),
        (0, 0, ILLEGAL), (0, Status.TVM, ILLEGAL),
    ]:  # fmt: skip
        memory.enter(priv, mstatus=mstatus)
        assert run(memory, row, 0, 0) == expected, (priv, mstatus)


@pytest.mark.parametrize("row", [sv.sfence_w_inval, sv.sfence_inval_ir], ids=lambda row: row.name)
def test_the_ordering_fences_of_svinval_ignore_tvm(memory: Bench, row: Instruction) -> None:
    memory.allow_all()
    for priv, expected in [(3, None), (1, None), (0, ILLEGAL)]:
        memory.enter(priv, mstatus=Status.TVM)
        assert run(memory, row) == expected


@pytest.mark.parametrize("write", [0, 1])
def test_satp_is_barred_by_tvm(memory: Bench, write: int) -> None:
    memory.allow_all()
    for priv, mstatus, barred in [(3, Status.TVM, False), (1, 0, False), (1, Status.TVM, True)]:
        memory.enter(priv, mstatus=mstatus)
        assert isinstance(memory.satp_access(write, 0x180), Fault) == barred


@pytest.mark.parametrize("row", FENCES, ids=lambda row: row.name)
@pytest.mark.parametrize(
    ("rs1", "rs2", "forgotten"),
    [(0, 0, True), (5, 0, True), (6, 0, False), (0, 7, True), (0, 8, False), (5, 7, True)],
)
def test_registers_name_what_is_forgotten(
    memory: Bench, row: Instruction, rs1: int, rs2: int, forgotten: bool
) -> None:
    memory.hart.x[5], memory.hart.x[6] = VA + 0x123, VA + 0x1000
    memory.hart.x[7], memory.hart.x[8] = 3, 4
    memory.poke(PA, 1)
    memory.poke(PA + 0x1000, 2)
    memory.allow_all()
    memory.map(VA, PA)
    memory.enter(1, satp=memory.satp(asid=3))
    assert memory.load(VA) == 1
    memory.map(VA, PA + 0x1000)
    assert run(memory, row, *(rs1, rs2) if row.operands[0] == "rs1" else (rs2, rs1)) is None
    assert memory.load(VA) == (2 if forgotten else 1)


# --- cache blocks -------------------------------------------------------------------------------

ENABLES = [
    (zicbo.cbo_inval, 1 << 4), (zicbo.cbo_inval, 3 << 4), (zicbo.cbo_clean, EnvCfg.CBCFE),
    (zicbo.cbo_flush, EnvCfg.CBCFE), (zicbo.cbo_zero, EnvCfg.CBZE),
]  # fmt: skip


@pytest.mark.parametrize(("row", "field"), ENABLES, ids=lambda value: getattr(value, "name", ""))
def test_block_operations_are_enabled_mode_by_mode(
    memory: Bench, row: Instruction, field: int
) -> None:
    memory.allow_all()
    memory.hart.x[5] = PA + 0x21
    everything = (1 << 64) - 1
    for priv, menvcfg, senvcfg, expected in [
        (3, 0, 0, None), (1, 0, field, ILLEGAL), (1, field, 0, None), (0, field, 0, ILLEGAL),
        (0, 0, field, ILLEGAL), (0, field, field, None),
        (1, everything ^ EnvCfg.CBIE ^ EnvCfg.CBCFE ^ EnvCfg.CBZE, 0, ILLEGAL),
    ]:  # fmt: skip
        memory.enter(priv)
        memory.hart.menvcfg, memory.hart.senvcfg = menvcfg, senvcfg
        assert run(memory, row, 5) == expected, (priv, menvcfg, senvcfg)


def test_block_operations_change_what_they_say(memory: Bench) -> None:
    memory.hart.x[5] = PA + 0x7F
    for row in (zicbo.cbo_inval, zicbo.cbo_clean, zicbo.cbo_flush, zicbo.cbo_zero):
        memory.poke(PA + 0x40, 0x55)
        assert run(memory, row, 5) is None
        assert memory.peek(PA + 0x40) == (0 if row is zicbo.cbo_zero else 0x55)


@pytest.mark.parametrize("row", [zicbo.cbo_inval, zicbo.cbo_clean, zicbo.cbo_flush])
def test_blocks_are_managed_where_memory_is(memory: Bench, row: Instruction) -> None:
    memory.hart.x[5] = RAM - 0x1000
    assert run(memory, row, 5) == STORE_ACCESS


@pytest.mark.parametrize("row", [zicbo.prefetch_i, zicbo.prefetch_r, zicbo.prefetch_w])
def test_prefetches_do_nothing(memory: Bench, row: Instruction) -> None:
    memory.enter(0)
    assert run(memory, row) is None


def test_fence_i_is_for_everybody(memory: Bench) -> None:
    memory.allow_all()
    memory.enter(0)
    assert run(memory, zifencei.fence_i) is None


def test_the_order_of_checks(make_bench: Callable[..., Bench]) -> None:
    memory = make_bench()
    memory.map(VA, PA, V | R | A | D)
    memory.map(PA, PA, LEAF)
    memory.paged()
    memory.hart.x[5] = VA
    assert run(memory, zicbo.cbo_zero, 5) == ILLEGAL, "before the address is looked at"
    memory.hart.menvcfg = EnvCfg.CBZE
    assert run(memory, zicbo.cbo_zero, 5) == STORE_PAGE
