"""H: interrupts of guests (Privileged, "Hypervisor Interrupt Registers", "Hypervisor Guest External
Interrupt Registers", "Virtual Supervisor Interrupt Registers").

hart.mip holds the bits of mip that software writes. hvip is a part of hart.mip, and hie is a part
of hart.mie. Every register here is derived from these two, the interrupt lines and hideleg.
"""

from rvplat.isa.machinery.vocabulary import interrupt_lines, interrupts_changed, update_deadline
from rvplat.isa.priv_m import interrupts_of
from rvplat.isa.privileged import Irq
from rvplat.isa.rv_h import H
from rvplat.lang import define, u32, u64

GUEST_BITS = "VSEI[10] VSTI[6] VSSI[2]"
HYPERVISOR_BITS = "SGEI[12] " + GUEST_BITS
VIRTUAL_BITS = "LCOFI[13] SEI[9] STI[5] SSI[1]"
GUEST_SHIFT = 1  # a guest sees VSSI, VSTI and VSEI one bit lower, as SSI, STI and SEI


@define
def hideleg_write(hart, value: u64, number: u32):
    """The three VS-level interrupts are writable, and LCOFI with Shlcofideleg."""
    mask = u64(Irq.GUEST | Irq.LCOFI) if hart.has_shlcofideleg != 0 else u64(Irq.GUEST)
    hart.hideleg = value & mask
    interrupts_changed(hart)


@define
def put_pending(hart, mask: u64, value: u64):
    """Write bits of mip's software-written part."""
    hart.mip = (hart.mip & ~mask) | (value & mask)
    interrupts_changed(hart)


@define
def put_enabled(hart, mask: u64, value: u64):
    """Write bits of mie."""
    hart.mie = (hart.mie & ~mask) | (value & mask)
    update_deadline(hart)
    interrupts_changed(hart)


@define
def hvip_read(hart, number: u32) -> u64:
    return hart.mip & Irq.GUEST


@define
def hvip_write(hart, value: u64, number: u32):
    """The bits are writable whatever hideleg is."""
    put_pending(hart, u64(Irq.GUEST), value)


@define
def hip_read(hart, number: u32) -> u64:
    return (hart.mip | interrupt_lines(hart)) & Irq.HYPERVISOR


@define
def hip_write(hart, value: u64, number: u32):
    """VSSIP is an alias of hvip's; the other bits are read-only."""
    put_pending(hart, u64(Irq.VSSI), value)


@define
def hie_read(hart, number: u32) -> u64:
    return hart.mie & Irq.HYPERVISOR


@define
def hie_write(hart, value: u64, number: u32):
    put_enabled(hart, interrupts_of(hart) & Irq.HYPERVISOR, value)


H.csr(0x603, "hideleg", write=hideleg_write, fields="LCOFI[13] " + GUEST_BITS)
H.csr(0x645, "hvip", read=hvip_read, write=hvip_write, storage=False, fields=GUEST_BITS)
H.csr(0x644, "hip", read=hip_read, write=hip_write, storage=False, fields=HYPERVISOR_BITS)
H.csr(0x604, "hie", read=hie_read, write=hie_write, storage=False, fields=HYPERVISOR_BITS)

# --- guest external interrupts ------------------------------------------------------------------


@define
def guest_externals(hart) -> u64:
    """Bits GEILEN to 1 of hgeip and hgeie."""
    return (u64(2) << u64(hart.geilen)) - 2


@define
def hgeip_read(hart, number: u32) -> u64:
    return hart.guest_lines & guest_externals(hart)


@define
def hgeie_write(hart, value: u64, number: u32):
    hart.hgeie = value & guest_externals(hart)
    interrupts_changed(hart)


H.csr(0xE12, "hgeip", read=hgeip_read, storage=False)
H.csr(0x607, "hgeie", write=hgeie_write)

# --- vsip and vsie ------------------------------------------------------------------------------


@define
def vsip_read(hart, number: u32) -> u64:
    """The interrupts that hideleg delegates, at the bit numbers of sip. LCOFIP is sip's."""
    overflow = hart.mip & hart.mideleg & hart.hideleg & Irq.LCOFI
    return (hip_read(hart, number) & hart.hideleg) >> GUEST_SHIFT | overflow


@define
def vsip_write(hart, value: u64, number: u32):
    """Only SSIP and LCOFIP are writable."""
    overflow = hart.mideleg & hart.hideleg & Irq.LCOFI
    bits = (value << GUEST_SHIFT & Irq.VSSI) | (value & Irq.LCOFI)
    put_pending(hart, (hart.hideleg & Irq.VSSI) | overflow, bits)


@define
def vsie_read(hart, number: u32) -> u64:
    overflow = hart.mie & hart.mideleg & hart.hideleg & Irq.LCOFI
    return (hart.mie & hart.hideleg & Irq.GUEST) >> GUEST_SHIFT | overflow


@define
def vsie_write(hart, value: u64, number: u32):
    overflow = hart.mideleg & hart.hideleg & Irq.LCOFI
    bits = (value << GUEST_SHIFT & Irq.GUEST) | (value & Irq.LCOFI)
    put_enabled(hart, (hart.hideleg & Irq.GUEST) | overflow, bits)


H.csr(0x244, "vsip", read=vsip_read, write=vsip_write, storage=False, fields=VIRTUAL_BITS)
H.csr(0x204, "vsie", read=vsie_read, write=vsie_write, storage=False, fields=VIRTUAL_BITS)
