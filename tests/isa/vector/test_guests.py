"""Vectors with V=1 (Unprivileged, V, "Vector Context Status in vsstatus")."""

from __future__ import annotations

import pytest

from rvplat.lang import u32, u64

from .bench import VectorTwin, twin
from .test_rules import arrange

OFF, INITIAL, CLEAN, DIRTY = range(4)
ADD = "vadd.vv vd=2 vs2=4 vs1=6 vm=1"
LOAD = "vle8.v vd=2 rs1=10 vm=1 nf=0"
SCRATCH = ("guest_page:", "fault_gpa:", "csr_value:")  # what a native run alone leaves behind
VLENB, VSTART = 0xC22, 0x008


def in_guest(text: str, host: int, guest: int, priv: int = 1) -> VectorTwin:
    """The bench before an instruction in VS or VU mode, with these VS fields."""
    bench = arrange(text, "e8,m1")
    hart = bench.hart
    hart.mstatus = int(hart.mstatus) & ~(3 << 9) | host << 9
    hart.vsstatus = int(hart.vsstatus) & ~(3 << 9) | guest << 9
    hart.virt, hart.priv, hart.v_ready = 1, priv, 0
    bench.context_changed(hart)
    return bench


def run(bench: VectorTwin) -> None:
    """Run the instruction both ways."""
    assert [one for one in bench.differences() if not one.startswith(SCRATCH)] == []


@pytest.mark.parametrize("priv", [0, 1])
@pytest.mark.parametrize(
    ("host", "guest"), [(OFF, DIRTY), (OFF, OFF), (DIRTY, OFF), (INITIAL, OFF), (OFF, CLEAN)]
)
def test_either_field_off_makes_it_illegal(host: int, guest: int, priv: int) -> None:
    """Illegal-instruction, not virtual-instruction."""
    bench = in_guest(ADD, host, guest, priv)
    run(bench)
    assert bench.hart.mcause == 2
    assert int(bench.hart.mstatus) >> 9 & 3 == host
    assert int(bench.hart.vsstatus) >> 9 & 3 == guest


@pytest.mark.parametrize("text", [ADD, "vsetvli rd=5 rs1=10 vtypei=0", LOAD])
@pytest.mark.parametrize(("host", "guest"), [(INITIAL, CLEAN), (DIRTY, INITIAL), (CLEAN, DIRTY)])
def test_both_fields_become_dirty(host: int, guest: int, text: str) -> None:
    bench = in_guest(text, host, guest)
    run(bench)
    assert bench.hart.mcause != 2
    assert int(bench.hart.mstatus) >> 9 & 3 == DIRTY
    assert int(bench.hart.vsstatus) >> 9 & 3 == DIRTY


def test_the_fields_of_a_guest_do_not_count_for_the_host() -> None:
    bench = arrange(ADD, "e8,m1")
    bench.hart.vsstatus = int(bench.hart.vsstatus) & ~(3 << 9)
    run(bench)
    assert bench.hart.mcause != 2


@pytest.mark.parametrize("csr", [VLENB, VSTART])
def test_vector_csrs_obey_the_fields(csr: int) -> None:
    """csrrs rd, csr, x0."""
    for guest, illegal in ((OFF, True), (INITIAL, False)):
        bench = in_guest(ADD, DIRTY, guest)
        bench.poke(int(bench.hart.pc), (csr << 20 | 2 << 12 | 5 << 7 | 0x73).to_bytes(4, "little"))
        run(bench)
        assert (bench.hart.mcause == 2) is illegal


def test_a_change_of_vs_counts_at_once() -> None:
    """mstatus, sstatus and vsstatus: what was worked out before is dropped."""
    bench = twin()
    bench.begin()
    for name, number in (("mstatus", 0x300), ("sstatus", 0x100), ("vsstatus", 0x200)):
        bench.hart.v_ready = 1
        write = bench.core.export("write_csr")
        write(bench.native.address, u64(3 << 9), u32(number))
        bench.hart.v_ready = 1
        write(bench.native.address, u64(0), u32(number))
        assert bench.hart.v_ready == 0, name
