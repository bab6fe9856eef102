"""The machine's vocabulary: every word that an instruction or a CSR may ask of a hart.

The texts in this folder use these words; `rvplat/hart` and `rvplat/engine` give them meaning.
"""

from rvplat.lang import NoReturn, declare, u8, u16, u32, u64

# --- control flow: the last effect of an instruction --------------------------------------------


@declare
def relax(hart):
    """Other harts may go first."""


@declare
def jump(hart, target: u64):
    """Go on at an absolute address."""


@declare
def branch(hart, offset: u64):
    """Go on at this instruction's address plus an offset."""


@declare
def check_target(hart, target: u64):
    """Raise instruction-address-misaligned if IALIGN forbids the target (unprivileged, 2.2)."""


# --- traps and privilege ------------------------------------------------------------------------


@declare
def raise_trap(hart, cause: u64, tval: u64) -> NoReturn:
    """Raise a synchronous exception with the value for xtval."""


@declare
def illegal(hart) -> NoReturn:
    """Raise an illegal-instruction exception; xtval holds the instruction."""


@declare
def virtual_instruction(hart) -> NoReturn:
    """Raise a virtual-instruction exception; xtval holds the instruction."""


@declare
def raise_access_trap(hart, cause: u64, tval: u64, tval2: u64, tinst: u64, guest: bool) -> NoReturn:
    """Raise a memory access's exception: values for xtval, htval and htinst, and whether xtval is a
    guest virtual address."""


@declare
def instruction_bits(hart) -> u64:
    """The current instruction: 16 or 32 bits, zero-extended."""


@declare
def require_privilege(hart, lowest: u64):
    """Raise illegal-instruction below the mode (virtual-instruction where H says so)."""


@declare
def require_hypervisor(hart):
    """Raise virtual-instruction if V=1, illegal-instruction in U mode: for instructions of H."""


@declare
def enter_privilege(hart, priv: u64, virt: u64):
    """Go on in another privilege mode and virtualization mode, where interrupts are due anew."""


@declare
def context_changed(hart):
    """What data accesses or fetches depend on changed: privilege, MPRV, SUM, MXR, satp, PMP."""


@declare
def interrupts_changed(hart):
    """Interrupts may have become pending or enabled: take one before the next instruction."""


@declare
def interrupt_lines(hart) -> u64:
    """The bits of mip that devices and timers drive just now. What becomes pending by this look is
    taken before the next instruction."""


@declare
def wait_for_interrupt(hart):
    """Stall after this instruction until an interrupt that mie enables is pending. If it can be
    taken, its trap comes before the next instruction."""


# --- time and counters --------------------------------------------------------------------------


@declare
def read_time(hart) -> u64:
    """`mtime`, in ticks."""


@declare
def observed_time(hart) -> u64:
    """`mtime` for the guest to see: an interrupt of a timer that is due by then is taken before
    the instruction that asks."""


@declare
def retired(hart) -> u64:
    """Instructions that the hart has retired since it was built, without the current one."""


@declare
def update_deadline(hart):
    """A timer's comparand or its enable changed: see which timers fire, and when the next does."""


# --- CSRs ---------------------------------------------------------------------------------------


@declare
def csr_check(hart, number: u32, write: bool):
    """Raise what an access to the CSR raises in this mode: absent, privileged, read-only."""


@declare
def csr_in_force(hart, number: u32) -> u32:
    """The number of the CSR that an instruction means: with V=1, a VS CSR in an S CSR's place."""


@declare
def csr_read(hart, number: u32) -> u64:
    """The CSR's value."""


@declare
def csr_write(hart, number: u32, value: u64):
    """Write the CSR: WARL fields keep to legal values."""


@declare
def csr_stored(hart, number: u32, value: u64) -> u64:
    """What csrrs and csrrc modify, given the value read: mip without the PLIC's SEIP line."""


# --- memory -------------------------------------------------------------------------------------


@declare
def load_u8(hart, va: u64) -> u8:
    """Load a byte with the current data privilege and translation."""


@declare
def load_u16(hart, va: u64) -> u16:
    """Load a halfword, aligned or not."""


@declare
def load_u32(hart, va: u64) -> u32:
    """Load a word, aligned or not."""


@declare
def load_u64(hart, va: u64) -> u64:
    """Load a doubleword, aligned or not."""


@declare
def store_u8(hart, va: u64, value: u8):
    """Store a byte."""


@declare
def store_u16(hart, va: u64, value: u16):
    """Store a halfword, aligned or not."""


@declare
def store_u32(hart, va: u64, value: u32):
    """Store a word, aligned or not."""


@declare
def store_u64(hart, va: u64, value: u64):
    """Store a doubleword, aligned or not."""


@declare
def guest_load(hart, va: u64, size: u64, execute: bool) -> u64:
    """Load as though V=1 with the privilege of hstatus.SPVP, zero-extended; `execute`: with
    execute permission in the place of read permission (HLVX)."""


@declare
def guest_store(hart, va: u64, size: u64, value: u64):
    """Store as though V=1 with the privilege of hstatus.SPVP."""


@declare
def amo_address(hart, va: u64, size: u64) -> u64:
    """The host address of memory that an AMO may read and write: aligned, or it traps."""


@declare
def load_reserved_u32(hart, va: u64) -> u32:
    """Load a word and reserve it."""


@declare
def load_reserved_u64(hart, va: u64) -> u64:
    """Load a doubleword and reserve it."""


@declare
def wait_on_reservation(hart) -> bool:
    """Stall while the reservation holds and nothing calls for the hart, for a short time at most.
    Whether one of the two has ended it; without a reservation it ends at once, unasked."""


@declare
def store_conditional_u32(hart, va: u64, value: u32) -> bool:
    """Store a word if the reservation still holds, and say so; either way it is gone after."""


@declare
def store_conditional_u64(hart, va: u64, value: u64) -> bool:
    """Store a doubleword if the reservation still holds, and say so."""


@declare
def zero_block(hart, va: u64):
    """Store zeros to the cache block around an address."""


@declare
def cache_block_check(hart, va: u64):
    """Raise what a cache-block management instruction raises: store faults, where the block can
    be neither loaded nor stored."""


@declare
def flush_translations(hart, va: u64, asid: u64, has_va: bool, has_asid: bool):
    """Forget cached translations: of an address, of an address space, of both, or all."""


@declare
def flush_guest_virtual(hart, va: u64, asid: u64, has_va: bool, has_asid: bool):
    """Forget VS-stage translations of the VMID in hgatp: of an address, of an address space."""


@declare
def flush_guest_physical(hart, gpa: u64, vmid: u64, has_gpa: bool, has_vmid: bool):
    """Forget G-stage translations: of a guest physical address, of a VMID, of both, or all."""


@declare
def protection_changed(hart):
    """pmpcfg or pmpaddr was written."""


@declare
def synchronise_instructions(hart):
    """Fetches from here on see the stores that are visible to this hart (fence.i)."""
