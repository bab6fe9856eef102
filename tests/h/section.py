"""The section of the manual that a test checks, which becomes a part of the test's name.

A title is the manual's heading without its markup (riscv-isa-manual, src/priv/hypervisor.adoc
unless a comment names another file). A test of rvplat's own features has the title "rvplat: ...".
If each case has its own section, `section` is a parameter of the test, and the decorator is left
out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

HSTATUS = "Hypervisor Status (hstatus) Register"
DELEGATION = "Hypervisor Trap Delegation (hedeleg and hideleg) Registers"
INTERRUPTS = "Hypervisor Interrupt (hvip, hip, and hie) Registers"
EXTERNALS = "Hypervisor Guest External Interrupt Registers (hgeip and hgeie)"
HENVCFG = "Hypervisor Environment Configuration Register (henvcfg)"
HCOUNTEREN = "Hypervisor Counter-Enable (hcounteren) Register"
VSSTATUS = "Virtual Supervisor Status (vsstatus) Register"
VSINTERRUPTS = "Virtual Supervisor Interrupt (vsip and vsie) Registers"
VSATP = "Virtual Supervisor Address Translation and Protection (vsatp) Register"
HGATP = "Hypervisor Guest Address Translation and Protection (hgatp) Register"
VSTIMECMP = "Virtual Supervisor Timer (vstimecmp) Register"
GUEST_ACCESS = "Hypervisor Virtual-Machine Load and Store Instructions"
GUEST_FENCES = "Hypervisor Memory-Management Fence Instructions"
FENCES = "Memory-Management Fences"
MSTATUS = "Machine Status (mstatus and mstatush) Registers"
MIP = "Machine Interrupt (mip and mie) Registers"
STAGES = "Two-Stage Address Translation"
SECOND_STAGE = "Guest Physical Address Translation"
CAUSES = "Trap Cause Codes"
TINST = "Transformed Instruction or Pseudoinstruction for mtinst or htinst"
SV39 = "Sv39: Page-Based 39-bit Virtual-Memory System"  # supervisor.adoc
PROTECTION = "Addressing and Memory Protection"  # supervisor.adoc
WALK = "Virtual Address Translation Process"  # supervisor.adoc
SVADU = "Svadu Extension for Hardware Updating of A/D Bits"
STATEEN = "State Enable Extensions"  # smstateen.adoc
STATEEN0 = "State Enable 0 Registers"  # smstateen.adoc
WAITS = "Wait-on-Reservation-Set Instructions"  # zawrs.adoc
SVINVAL = "Svinval Extension for Fine-Grained Address-Translation Cache Invalidation"

OF_CSR = {
    "hstatus": HSTATUS,
    "hedeleg": DELEGATION,
    "hideleg": DELEGATION,
    "hvip": INTERRUPTS,
    "hip": INTERRUPTS,
    "hie": INTERRUPTS,
    "hgeip": EXTERNALS,
    "hgeie": EXTERNALS,
    "henvcfg": HENVCFG,
    "hcounteren": HCOUNTEREN,
    "htimedelta": "Hypervisor Time Delta (htimedelta) Register",
    "htval": "Hypervisor Trap Value (htval) Register",
    "htinst": "Hypervisor Trap Instruction (htinst) Register",
    "hgatp": HGATP,
    "mstatus": MSTATUS,
    "mideleg": "Machine Interrupt Delegation (mideleg) Register",
    "mip": MIP,
    "mie": MIP,
    "mtval2": "Machine Second Trap Value (mtval2) Register",
    "mtinst": "Machine Trap Instruction (mtinst) Register",
    "vsstatus": VSSTATUS,
    "vsip": VSINTERRUPTS,
    "vsie": VSINTERRUPTS,
    "vstvec": "Virtual Supervisor Trap Vector Base Address (vstvec) Register",
    "vsscratch": "Virtual Supervisor Scratch (vsscratch) Register",
    "vsepc": "Virtual Supervisor Exception Program Counter (vsepc) Register",
    "vscause": "Virtual Supervisor Cause (vscause) Register",
    "vstval": "Virtual Supervisor Trap Value (vstval) Register",
    "vsatp": VSATP,
    "vstimecmp": VSTIMECMP,
    **{f"{level}stateen0": STATEEN0 for level in "mhs"},
    **{f"{level}stateen{i}": STATEEN for level in "mhs" for i in (1, 2, 3)},
}


def section(title: str) -> pytest.MarkDecorator:
    """Mark a test with the section that it checks; conftest.py puts it into the test's name."""
    return pytest.mark.section(title)


def by_csr(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Prefix each row, which begins with a CSR's name, with the section of that CSR."""
    return [(OF_CSR[row[0]], *row) for row in rows]
