"""Build a hart of a machine: what the board says of it."""

from __future__ import annotations

from rvplat.hart.rnmi import AT_MTVEC
from rvplat.machine.boards.board import MAX_PMP, MOST_ASID_BITS, MOST_VMID_BITS, OneHart
from rvplat.machine.boards.extensions import extensions_of
from rvplat.machine.running.hart import Hart
from rvplat.machine.running.system import System

ID_SHIFT = 44  # of ASID and VMID in satp, vsatp and hgatp, as a hart's record holds them


def build_hart(machine: System, own: OneHart) -> Hart:
    """A hart, before its first reset."""
    extensions, architecture = extensions_of(own), machine.core.architecture
    table = machine.core.decoder(extensions)
    hart = Hart(
        own.number, machine.native, table, architecture.layout, machine, extensions,
        own.harts.absent_csrs,
    )  # fmt: skip
    view = hart.view
    view.vlen_bytes = own.vlen // 8
    view.geilen = own.harts.geilen
    view.tinst_zero = int(own.harts.tinst == "zero")
    view.menvcfg_reset = own.menvcfg
    view.rnmi_handler = _handler(own.harts.rnmi_handler)
    view.rnmi_exceptions = _handler(own.harts.rnmi_exception_handler)
    view.pmp_fixed = MAX_PMP - own.harts.pmp_entries
    view.asid_fixed = _upper(own.asid_bits, MOST_ASID_BITS[64])
    view.vmid_fixed = _upper(own.vmid_bits, MOST_VMID_BITS[64])
    architecture.prepare(view, extensions)
    return hart


def _handler(address: int | None) -> int:
    """The address of a handler, as a hart's record holds it."""
    return AT_MTVEC if address is None else address


def _upper(bits: int, most: int) -> int:
    """The bits of an identifier that can't be written, in their place."""
    return (1 << most) - (1 << bits) << ID_SHIFT
