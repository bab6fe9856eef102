"""The vocabulary: every operation of a hart that definitions of instructions and CSRs may call.

These are declarations. `rvplat/hart` and `rvplat/engine` implement them. They take addresses as
registers hold them (`ux`); the implementations have them zero-extended.
"""

from rvplat.isa.machinery.xlen import ux
from rvplat.lang import NoReturn, declare, u8, u16, u32, u64

# --- control flow: the last effect of an instruction --------------------------------------------


@declare
def relax(hart):
    """Let the threads of other harts run first."""


@declare
def jump(hart, target: ux):
    """Continue at an absolute address."""


@declare
def branch(hart, offset: ux):
    """Continue at this instruction's address plus an offset."""


@declare
def check_target(hart, target: ux):
    """Raise instruction-address-misaligned if IALIGN forbids the target (unprivileged, 2.2)."""


# --- traps and privilege ------------------------------------------------------------------------


@declare
def raise_trap(hart, cause: u64, tval: u64) -> NoReturn:
    """Raise a synchronous exception with the value for xtval."""


@declare
def host_of_load(hart, va: u64) -> u64:
    """The host address of the byte at va, if loads from the rest of its page are nothing but copies
    from there: it is RAM, and its translation is known. Otherwise 0."""


@declare
def host_of_store(hart, va: u64) -> u64:
    """As `host_of_load`, for stores."""


@declare
def illegal(hart) -> NoReturn:
    """Raise an illegal-instruction exception; xtval holds the instruction."""


@declare
def virtual_instruction(hart) -> NoReturn:
    """Raise a virtual-instruction exception; xtval holds the instruction."""


@declare
def raise_access_trap(hart, cause: u64, tval: u64, tval2: u64, tinst: u64, guest: bool) -> NoReturn:
    """Raise the exception of a memory access, with values for xtval, htval and htinst. `guest` is
    whether xtval holds a guest virtual address."""


@declare
def drop_trap(hart):
    """The exception that a part of the instruction has raised is not taken. A debugger's stop is
    raised again."""


@declare
def instruction_bits(hart) -> u64:
    """The current instruction: 16 or 32 bits, zero-extended."""


@declare
def require_privilege(hart, lowest: u64):
    """Raise illegal-instruction below the mode, or virtual-instruction where H demands it."""


@declare
def require_hypervisor(hart):
    """Raise virtual-instruction if V=1, illegal-instruction in U mode, as instructions of H do."""


@declare
def enter_privilege(hart, priv: u64, virt: u64):
    """Continue in another privilege and virtualization mode, and check there for interrupts."""


@declare
def context_changed(hart):
    """What accesses or fetches depend on has changed: privilege, MPRV, SUM, MXR, satp, PMP."""


@declare
def interrupts_changed(hart):
    """Interrupts may have become pending or enabled: take one before the next instruction."""


@declare
def interrupt_lines(hart) -> u64:
    """The bits of mip that devices and timers drive now. If the call finds a new interrupt, the
    hart takes it before the next instruction."""


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
    """`mtime` as an instruction reads it. If a timer is due by that time, the hart takes its
    interrupt before the instruction that reads."""


@declare
def retired(hart) -> u64:
    """The number of instructions retired since the hart was built, without the current one."""


@declare
def update_deadline(hart):
    """A timer's compare value or enable bit changed: find which timers fire now, and when next."""


# --- CSRs ---------------------------------------------------------------------------------------


@declare
def csr_check(hart, number: u32, write: bool):
    """Raise the exception of an access that isn't allowed: no such CSR, privilege, read-only."""


@declare
def csr_in_force(hart, number: u32) -> u32:
    """The number of the CSR that an access reaches: with V=1, VS CSRs replace those of S mode."""


@declare
def csr_read(hart, number: u32) -> u64:
    """The CSR's value."""


@declare
def csr_write(hart, number: u32, value: u64):
    """Write the CSR. WARL fields take only legal values."""


@declare
def csr_stored(hart, number: u32, value: u64) -> u64:
    """The value that csrrs and csrrc modify. It is the value that they read, except for mip: there
    the PLIC's line is left out of SEIP."""


# --- memory -------------------------------------------------------------------------------------


@declare
def load_u8(hart, va: ux) -> u8:
    """Load a byte with the current data privilege and translation."""


@declare
def load_u16(hart, va: ux) -> u16:
    """Load a halfword, aligned or not."""


@declare
def load_u32(hart, va: ux) -> u32:
    """Load a word, aligned or not."""


@declare
def load_u64(hart, va: ux) -> u64:
    """Load a doubleword, aligned or not."""


@declare
def store_u8(hart, va: ux, value: u8):
    """Store a byte."""


@declare
def store_u16(hart, va: ux, value: u16):
    """Store a halfword, aligned or not."""


@declare
def store_u32(hart, va: ux, value: u32):
    """Store a word, aligned or not."""


@declare
def store_u64(hart, va: ux, value: u64):
    """Store a doubleword, aligned or not."""


@declare
def guest_load(hart, va: ux, size: u64, execute: bool) -> u64:
    """Load as though V=1 with the privilege of hstatus.SPVP, zero-extended. With `execute` the load
    needs execute permission instead of read permission (HLVX)."""


@declare
def guest_store(hart, va: ux, size: u64, value: u64):
    """Store as though V=1 with the privilege of hstatus.SPVP."""


@declare
def amo_address(hart, va: ux, size: u64) -> u64:
    """The host address of memory that an AMO may access. Raises the access's exceptions,
    misalignment among them."""


@declare
def load_reserved_u32(hart, va: ux) -> u32:
    """Load a word and reserve it."""


@declare
def load_reserved_u64(hart, va: ux) -> u64:
    """Load a doubleword and reserve it."""


@declare
def wait_on_reservation(hart) -> bool:
    """Stall until the reservation is lost or an event wakes the hart, for a short time at most.
    True if one of the two ended the stall. Without a reservation: False, at once."""


@declare
def store_conditional_u32(hart, va: ux, value: u32) -> bool:
    """Store a word if the reservation still holds; return whether it did. It ends in any case."""


@declare
def store_conditional_u64(hart, va: ux, value: u64) -> bool:
    """Store a doubleword if the reservation still holds; return whether it did."""


@declare
def push_shadow_stack(hart, va: ux, value: ux):
    """Store a register to a shadow stack at an address."""


@declare
def pop_shadow_stack(hart, va: ux) -> u64:
    """Load XLEN bits from a shadow stack at an address, zero-extended."""


@declare
def shadow_stack_address(hart, va: ux, size: u64) -> u64:
    """The host address of memory of a shadow stack that an AMO may access."""


@declare
def zero_block(hart, va: ux):
    """Store zeros to the cache block around an address."""


@declare
def cache_block_check(hart, va: ux):
    """Raise the exception of a cache-block management instruction: a store fault, if the block may
    be neither loaded nor stored."""


@declare
def flush_translations(hart, va: ux, asid: ux, has_va: bool, has_asid: bool):
    """Drop cached translations: of an address, of an address space, of both, or all."""


@declare
def flush_guest_virtual(hart, va: ux, asid: ux, has_va: bool, has_asid: bool):
    """Drop VS-stage translations of the VMID in hgatp: of an address, of an address space."""


@declare
def flush_guest_physical(hart, gpa: u64, vmid: ux, has_gpa: bool, has_vmid: bool):
    """Drop G-stage translations: of a guest physical address, of a VMID, of both, or all."""


@declare
def protection_changed(hart):
    """pmpcfg or pmpaddr was written."""


@declare
def synchronise_instructions(hart):
    """Make later fetches see the stores that are visible to this hart (fence.i)."""
