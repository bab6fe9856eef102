"""Worlds as a debugger knows them: the host (V=0), and guests by VMID. The registers that a world
had when a hart left it are kept, to be shown while no hart is in it."""

from rvplat.hart.state import STOP_BREAK, HartState
from rvplat.isa.privileged import INTERRUPT, MACHINE, SUPERVISOR, HStatus, Status
from rvplat.lang import Record, define, u8, u32, u64

HOST = 0
ANYWHERE = 0xFFFF_FFFF_FFFF_FFFF  # in a breakpoint's row: every world
VMID_SHIFT = 44  # of hgatp
VMID_MASK = 0x3FFF
MET_TRAP, MET_SWITCH = 1, 2  # bits of hook_met

HartState.outside("hook_traps", u8)  # 1: some hook is for traps
HartState.outside("hook_exceptions", u64)  # the exceptions that hooks are for, a bit a code
HartState.outside("hook_interrupts", u64)  # the interrupts
HartState.outside("hook_switches", u8)  # 1: some hook is for changes of V
HartState.outside("hook_met", u32)  # of MET_*: why the hart stopped
HartState.outside("hook_cause", u64)  # of the last trap that hooks are for: as mcause has it
HartState.outside("hook_tval", u64)
HartState.outside("hook_pc", u64)  # of the trap's instruction, or the interrupted one
HartState.outside("hook_from", u64)  # the world that the trap was taken in, or that was left


@define
def guest_world(hgatp: u64) -> u64:
    """The number of the guest that hgatp names: 1 more than its VMID."""
    return 1 + (hgatp >> VMID_SHIFT & VMID_MASK)


@define
def current_world(hart) -> u64:
    """The world that the hart is in. A fetch context's key holds the hgatp that made it."""
    if hart.virt == 0:
        return u64(HOST)
    return guest_world(hart.fetch_ctx[hart.fetches.context].guest)


@define
def current_asid(hart) -> u64:
    """The address space of the hart's fetches; 0 where there is no translation."""
    return hart.fetch_ctx[hart.fetches.context].root >> 44 & 0xFFFF


@define
def meet_guest(hart):
    """The hart is about to be in the guest of hgatp: stop there if that is a new one."""
    vmid = hart.hgatp >> VMID_SHIFT & VMID_MASK
    if hart.known_vmids[vmid >> 6] >> (vmid & 63) & 1 == 0:
        hart.switch_met = 2
        hart.stop = STOP_BREAK


# --- worlds that a hart has left ----------------------------------------------------------------

KEPT_WORLDS = 17  # the host's, then as many as world_switches.py remembers guests

KeptWorld = Record("KeptWorld")
KeptWorld.add("x", u64, 32)
KeptWorld.add("pc", u64)
KeptWorld.add("priv", u8)
KeptWorld.add("known", u8)

HartState.outside("keep_worlds", u8)  # 1: a debugger is attached
HartState.outside("stop_switch", u8)  # 1: stop when V changes
HartState.outside("switch_met", u8)  # why it stopped. 1: V changed; 2: the hart is in a new guest
HartState.outside("stop_new", u8)  # 1: stop on the way into a guest whose VMID isn't marked
HartState.outside("known_vmids", u64, (VMID_MASK + 1) // 64)  # a bit a VMID, set by the debugger
HartState.saved("kept_worlds", KeptWorld, KEPT_WORLDS)


@define
def keep_registers(hart, kept: KeptWorld, pc: u64, priv: u64):
    """The registers of a world that no hart is in."""
    for i in range(32):
        kept.x[i] = u64(hart.x[i])
    kept.pc = pc
    kept.priv = u8(priv)
    kept.known = 1


@define(cold=True)
def note_trap(hart, cause: u64):
    """A trap is about to be taken: stop before its handler's first instruction, if a hook is for
    it (machine/hooks/)."""
    wanted = hart.hook_interrupts if cause & INTERRUPT != 0 else hart.hook_exceptions
    if wanted >> (cause & 63) & 1 == 0 or hart.machine.points_off != 0:
        return
    hart.hook_met |= u32(MET_TRAP)
    hart.hook_cause = cause
    hart.hook_tval = hart.trap_tval
    hart.hook_pc = hart.pc
    hart.hook_from = current_world(hart)
    hart.stop = STOP_BREAK


@define(cold=True)
def note_switch(hart):
    """V is about to change: stop in the other world."""
    if hart.machine.points_off != 0:
        return
    hart.hook_met |= u32(MET_SWITCH)
    hart.hook_from = current_world(hart)
    hart.stop = STOP_BREAK


@define(cold=True)
def keep_world(hart, guest: u64):
    """Keep the registers of the world that the hart leaves: V is about to change, priv has changed.

    A guest (the number of its entry) is left by a trap, and hart.pc is at the trap's handler."""
    if hart.stop_switch != 0:
        hart.switch_met = 1
        hart.stop = STOP_BREAK
    elif hart.virt == 0 and hart.stop_new != 0:
        meet_guest(hart)
    if hart.virt == 0:
        keep_registers(hart, hart.kept_worlds[0], hart.pc, u64(SUPERVISOR))
    elif hart.priv == MACHINE:
        priv = (hart.mstatus & Status.MPP) >> Status.MPP_SHIFT
        keep_registers(hart, hart.kept_worlds[1 + guest], hart.mepc, priv)
    else:
        priv = (hart.hstatus & HStatus.SPVP) >> HStatus.SPVP_SHIFT
        keep_registers(hart, hart.kept_worlds[1 + guest], hart.sepc, priv)
