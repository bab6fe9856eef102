"""Call stacks for profiles, as a hart finds them where a sample is taken.

A stack is walked by frame pointers (RISC-V ELF psABI, "Frame Pointer Convention": s0 points just
above the saved ra and s0), and the words above sp are copied, from which Python unwinds code that
has call frame information instead. Memory is read as a debugger does: nothing of the guest
changes, and a word that can't be read ends the walk.
"""

from rvplat.hart.mmu import debug_translate
from rvplat.hart.ram import ram_host, read_host
from rvplat.hart.state import HartState
from rvplat.isa.machinery.xlen import ux
from rvplat.isa.privileged import OFFSET_MASK, PAGE_MASK, SUPERVISOR
from rvplat.lang import Record, define, u8, u64

MOST_CALLERS = 24  # of a walk
WORDS = 128  # that are copied
LARGEST_FRAME = 1 << 16
RA, SP, FP = 1, 2, 8

StackWalk = Record("StackWalk")  # one world's
StackWalk.add("pc", u64)  # of the host's below a guest 0: there is none
StackWalk.add("ra", u64)
StackWalk.add("sp", u64)
StackWalk.add("fp", u64)
StackWalk.add("depth", u64)  # frames that were found by frame pointers
StackWalk.add("words", u64)  # how many were copied
StackWalk.add("fps", u64, MOST_CALLERS)
StackWalk.add("ras", u64, MOST_CALLERS)  # 0: the frame has saved s0 alone
StackWalk.add("stack", u64, WORDS)

HartState.outside("walk_copies", u8)  # 1: copy words too
HartState.outside("walk_page", u64)  # of the last word, its address | 1
HartState.outside("walk_host", u64)  # host address of that page; 0: it can't be read
HartState.outside("host_pc", u64)  # of the host, before it last went to a guest; 0: not known
HartState.outside("host_ra", u64)
HartState.outside("host_sp", u64)
HartState.outside("host_fp", u64)


@define
def word_at(hart, va: u64) -> u64:
    """The host address of an aligned word of the world that the hart is in; 0: none."""
    if va & (ux.bits // 8 - 1) != 0:
        return u64(0)
    page = va & PAGE_MASK
    if hart.walk_page != page | 1:
        found = debug_translate(hart, page)
        hart.walk_page = page | 1
        hart.walk_host = ram_host(hart, found.pa) if found.mapped else u64(0)
    return hart.walk_host + (va & OFFSET_MASK) if hart.walk_host != 0 else u64(0)


@define
def walk_frames(hart, walk: StackWalk):
    """Follow the frame pointers."""
    size = u64(ux.bits // 8)
    fp = walk.fp
    lowest = walk.sp
    while walk.depth < MOST_CALLERS and fp > lowest and fp - lowest < LARGEST_FRAME:
        first = word_at(hart, fp - size)
        second = word_at(hart, fp - 2 * size)
        if first == 0 or second == 0:
            break
        ra = read_host(first, size)
        before = read_host(second, size)
        if walk.depth == 0 and ra > fp and ra - fp < LARGEST_FRAME:
            before = ra  # a leaf saves no ra
            ra = u64(0)
        elif ra == 0:
            break
        walk.fps[walk.depth] = fp
        walk.ras[walk.depth] = ra
        walk.depth += 1
        lowest = fp
        fp = before


@define
def copy_words(hart, walk: StackWalk):
    """Copy the words above sp."""
    size = u64(ux.bits // 8)
    while walk.words < WORDS:
        host = word_at(hart, walk.sp + walk.words * size)
        if host == 0:
            break
        walk.stack[walk.words] = read_host(host, size)
        walk.words += 1


@define(cold=True)
def walk_stack(hart, walk: StackWalk):
    """Fill a walk that has registers, in the hart's mode."""
    walk.depth = 0
    walk.words = 0
    hart.walk_page = 0
    walk_frames(hart, walk)
    if hart.walk_copies != 0:
        copy_words(hart, walk)


@define(cold=True)
def walk_here(hart, walk: StackWalk):
    """The stack of the world that the hart is in."""
    walk.pc = hart.pc
    walk.ra = u64(hart.x[RA])
    walk.sp = u64(hart.x[SP])
    walk.fp = u64(hart.x[FP])
    walk_stack(hart, walk)


@define(cold=True)
def walk_host(hart, walk: StackWalk):
    """The host's stack below a guest that runs."""
    walk.pc = u64(0)
    if hart.virt == 0 or hart.host_pc == 0:
        return
    walk.pc = hart.host_pc
    walk.ra = hart.host_ra
    walk.sp = hart.host_sp
    walk.fp = hart.host_fp
    priv = hart.priv
    hart.virt = u8(0)
    hart.priv = u8(SUPERVISOR)
    walk_stack(hart, walk)
    hart.virt = u8(1)
    hart.priv = priv


@define(cold=True)
def note_host(hart):
    """Keep what is needed to walk the host's stack while a guest runs. A hypervisor writes sstatus,
    hstatus or hvip shortly before it loads the guest's registers: this is called there."""
    if hart.priv == SUPERVISOR and hart.virt == 0:
        hart.host_pc = hart.pc
        hart.host_ra = u64(hart.x[RA])
        hart.host_sp = u64(hart.x[SP])
        hart.host_fp = u64(hart.x[FP])
