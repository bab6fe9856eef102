"""Which section of the manual a test checks: a part of its name.

A title is the manual's own heading without its markup (riscv-isa-manual, src/priv/hypervisor.adoc
where nothing else is said). What checks rvplat's own things says "rvplat: ..." instead. Where it is
another one for each case, `section` is a column of the test's parameters, with no decorator.
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
    """Say which section a test checks; `conftest.py` makes it a part of the test's name."""
    return pytest.mark.section(title)


def by_csr(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows that begin with a CSR's name, with that CSR's section put before it."""
    return [(OF_CSR[row[0]], *row) for row in rows]
