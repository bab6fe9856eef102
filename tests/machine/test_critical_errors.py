"""A hart in the critical-error state stops the run, and everybody says why (Privileged, "Double
Trap Control in mstatus Register").
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.cli.main import main
from tests.machine.small_guests import guest

ISA = "rv64imafdc_zicsr_smdbltrp"
#: The first trap's handler traps, too.
DOUBLE = """
  la t0, handler
  csrw mtvec, t0
  li t1, 1 << 42
  csrc mstatus, t1
first: ecall
1: j 1b
  .balign 4
.globl handler
handler: nop
  ld a0, 8(zero)
2: j 2b
"""
AT_ONCE = "  .word 0\n"


def machine(source: str = DOUBLE, isa: str = ISA, harts: int = 1, clock: str = "host") -> Machine:
    settings = {"harts.isa": isa, "harts.count": harts, "clock": clock}
    return Machine.open("virt", guest(source), settings=settings)


@pytest.mark.parametrize("harts", [1, 2])
@pytest.mark.parametrize("clock", ["host", "virtual"])
def test_a_run_stops(harts: int, clock: str) -> None:
    with machine(harts=harts, clock=clock) as found:
        stop = found.run(timeout_s=60)
        assert (stop.reason, stop.status) == ("critical", 124)
        hart = found.harts[stop.hart]
        assert stop.address == hart.pc == found.symbols["handler"] + 2
        what = f"load access at {stop.address:#x} <handler+0x2>, with 0x8 for mtval"
        assert str(stop).startswith(f"hart {stop.hart} is in a critical error: {what}"), str(stop)
        assert "while M mode handled ecall from m at" in str(stop)
        assert "; it is in a critical error" in found.dump()


def test_it_stops_again_until_the_pc_is_changed() -> None:
    with machine() as found:
        first = found.run(timeout_s=60)
        assert found.run(timeout_s=60) == first
        found.harts[0].pc = found.symbols["handler"]
        assert found.step(1).reason == "step"
        assert found.step(1).reason == "critical"


def test_after_a_reset_mdt_is_set() -> None:
    with machine(AT_ONCE) as found:
        stop = found.run(timeout_s=60)
        assert str(stop).endswith("while mstatus.MDT is set, as after a reset")
    with machine("  li t1, 1 << 42\n  csrc mstatus, t1\n  .word 0\n", f"{ISA}_smrnmi") as found:
        stop = found.run(timeout_s=60)
        assert str(stop).endswith("with 0x0 for mtval, while mnstatus.NMIE is clear")


def test_the_command_line_and_a_trace_say_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "trace"
    options = ["--set", f"harts.isa={ISA}", "--trace", str(trace)]
    assert main(["run", str(guest(DOUBLE)), *options]) == 124
    said = capfd.readouterr().err
    assert "rvplat: hart 0 is in a critical error: load access at 0x80000" in said
    assert "hart 0 is in a critical error: load access" in trace.read_text().splitlines()[-1]
