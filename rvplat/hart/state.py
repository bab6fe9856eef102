"""The state of a hart and of the machine around it, as native code and Python both see it.

The modules of this package add the fields that they own. This file holds the fields that all share.
`HartState` is what every hart has; a machine's harts have the fields of its extensions besides
(`engine/architecture.py`).

Each field of a hart has a role, which says what a snapshot of the machine does with it
(machine/snapshots): where a field is added, one of the four methods of `HartRecord` is called.
"""

from typing import Any

from rvplat.bus.natives.records import MAX_HARTS
from rvplat.isa.machinery.xlen import ux
from rvplat.lang import Record, ptr, s32, s64, u8, u32, u64

SAVED, IN_RAM, DERIVED, OUTSIDE = "saved", "in RAM", "derived", "outside"

MAX_RAM_REGIONS = 8

RamRegion = Record("RamRegion")
RamRegion.add("base", u64)  # physical address
RamRegion.add("size", u64)  # bytes
RamRegion.add("host", u64)  # host address of its first byte
RamRegion.add("code", u64)  # host address: a u64 a page, bit n = line n has decoded slots
RamRegion.add("written", u64)  # host address: a u32 a page, which TLB entries may write it
RamRegion.add("regions", u64)  # host address: a u64 a page, the row of its region or 0
RamRegion.add("first_page", u64)  # number of its first page among all regions' pages
RamRegion.add("writable", u8)  # ROM, PLAIN or WATCHED

ROM = 0  # stores take an access fault
PLAIN = 1
WATCHED = 2  # a device is carved out of it: stores go to the host function

DATA_ENTRIES = 1024
FETCH_ENTRIES = 1024
CONTEXTS = 16

TlbEntry = Record("TlbEntry")  # 32 bytes; a tag that can't match is all ones
TlbEntry.add("read_tag", u64)  # virtual address of the page
TlbEntry.add("write_tag", u64)
TlbEntry.add("addend", u64)  # host address = virtual address + addend
TlbEntry.add("page", u64)  # physical address of the page, flags in the low 12 bits

FetchEntry = Record("FetchEntry")  # 32 bytes
FetchEntry.add("tag", u64)  # virtual address of the page
FetchEntry.add("slots", u64)  # host address of the page's slots
FetchEntry.add("bias", u64)  # virtual address of the page - (slots >> 3)
FetchEntry.add("host", u64)  # host address of the page's bytes

Slot = Record("Slot")  # 16 bytes: one decoded instruction; a slot for every halfword of a page
Slot.add("handler", u64)
Slot.add("operands", u8, 4)
Slot.add("imm", s32)

SLOT_HEADER = 256  # bytes before a page's first slot: SlotHeader
SLOTS_SIZE = SLOT_HEADER + 16 * 2048 + 64  # of a page: header, slots, the slot after them
SlotHeader = Record("SlotHeader")
SlotHeader.add("host", u64)  # host address of the page's bytes
SlotHeader.add("pa", u64)  # physical address of the page
SlotHeader.add("code", u64)  # host address of the page's word in RamRegion.code

MachineState = Record("Machine")
DecodeRow = Record("DecodeRow")  # fields are added by engine/decode.py


class HartRecord(Record):
    """The record of a hart. Its methods add a field with its role."""

    def saved(self, name: str, kind: Any, count: int = 0) -> None:
        """Add state that software can see, or that decides what comes next: a snapshot has it."""
        self.add(name, kind, count, SAVED)

    def in_ram(self, name: str, kind: Any, count: int = 0) -> None:
        """Add a host address in RAM, or 0: a snapshot has the physical address."""
        self.add(name, kind, count, IN_RAM)

    def derived(self, name: str, kind: Any, count: int = 0) -> None:
        """Add what is found again from the saved state, or has no meaning between two instructions:
        it is forgotten when a snapshot is loaded (`forget_derived`)."""
        self.add(name, kind, count, DERIVED)

    def outside(self, name: str, kind: Any, count: int = 0) -> None:
        """Add what belongs to this process, the board, a debugger or the compiler: a snapshot
        neither has nor changes it."""
        self.add(name, kind, count, OUTSIDE)


HartState = HartRecord("Hart")

MachineState.add("ram", RamRegion, MAX_RAM_REGIONS)
MachineState.add("ram_count", u64)
MachineState.add("harts", u64, MAX_HARTS)  # host addresses of the HartState records
MachineState.add("hart_count", u64)
MachineState.add("decode_handler", u64)  # what an undecoded slot holds
MachineState.add("page_end_handler", u64)  # what the slot after a page's last holds
MachineState.add("illegal_handler", u64)  # for what is no instruction of the hart
MachineState.add("straddle_handler", u64)  # for an instruction that crosses into the next page
MachineState.add("pause_handler", u64)  # the budget has ended (engine/handlers.py)
MachineState.add("arrive_handler", u64)  # a jump to a page without a fetch entry
MachineState.add("slow_handlers", u64)  # host address: a u64 a form, its slow handler
MachineState.add("callees", u64)  # the same for the functions apart that regions call
MachineState.add("clock_fn", u64)  # host function: nanoseconds of a steady clock
MachineState.add("yield_fn", u64)  # host function: yield the CPU; 0: the harts share one thread
MachineState.add("clock_base_ns", u64)
MachineState.add("timebase_hz", u64)  # ticks a second
MachineState.add("clock_virtual", u8)  # 1: time follows retired instructions
MachineState.add("time_now", u64)  # ticks, when the clock is virtual
MachineState.add("instructions_per_tick", u64)

# Hot fields first.
HartState.saved("x", ux, 33)  # x[32] takes what is written to x0
HartState.derived("pc_bias", u64)  # pc = pc_bias + (slot address >> 3)
HartState.derived("tlb", ptr(TlbEntry))  # data entries of the context in force
HartState.derived("fetch", ptr(FetchEntry))  # fetch entries of the context in force
HartState.saved("budget", s64)  # instructions to the next run loop; in a register while it runs
HartState.derived("fp_ready", u32)  # which FP instructions may go on (isa/fp_state.py); 0: unknown
HartState.derived("v_ready", u8)  # whether vector instructions may go on (isa/vector/state.py)
HartState.derived("resync", u8)  # modes, translation or interrupts changed: the run loop is next
HartState.saved("elp", u8)  # 1: the next instruction must be a landing pad (isa/landing_pads.py)
HartState.saved("priv", u8)  # 0 U, 1 S, 3 M
HartState.saved("virt", u8)  # V
HartState.saved("f", u64, 33)  # NaN-boxed; f[32] is never read

HartState.saved("pc", u64)  # of the current instruction, wherever cold code runs
HartState.derived("next_pc", u64)  # of the one after it; jump() and branch() set it
HartState.outside("hart_id", u64)
HartState.outside("machine", ptr(MachineState))
HartState.outside("ialign_mask", u64)  # bits that a jump's target must have clear: 1 with C, else 3
HartState.saved("instret_base", u64)  # instret = instret_base - budget
HartState.derived("limit", s64)  # instructions left beyond the budget before native code leaves
HartState.saved("deadline", u64)  # ticks: the earliest timer of this hart

HartState.derived("trap_cause", u64)  # of the trap being raised; bit 63: interrupt
HartState.derived("trap_tval", u64)
HartState.derived("trap_tval2", u64)
HartState.derived("trap_tinst", u64)
HartState.derived("trap_gva", u8)

HartState.derived("attention", u32)  # another thread has a request: interrupt lines, or to stop
HartState.outside("stop_request", u32)  # another thread wants native code to leave
HartState.outside("abandon", u32)  # loops in plugins' definitions must end at once (engine/poll.py)
HartState.derived("stepping", u32)  # one instruction at a time: the limit is near
HartState.derived("stop", u32)  # why native code leaves: STOP_*
HartState.saved("irq_lines", u64)  # bits of mip that devices drive; only Python writes it
HartState.saved("guest_lines", u64)  # hgeip: what devices drive for guests; only Python writes it
HartState.saved("mtimecmp", u64)  # ticks

# What a board chooses where the manual leaves a choice.
HartState.outside("vlen_bytes", u64)  # VLEN / 8; 0 on a hart without vector registers
HartState.outside("has_zve32x", u8)  # rows with native code of their own: fields are here
HartState.outside("has_zicfilp", u8)
HartState.outside("has_zicfiss", u8)
HartState.outside("has_ssdbltrp", u8)
HartState.outside("has_smdbltrp", u8)
HartState.outside("has_smrnmi", u8)
HartState.saved("critical", u8)  # 1: in the critical-error state (rnmi.py)
HartState.outside("geilen", u8)  # guest external interrupts: bits geilen to 1 of hgeip
HartState.outside("asid_fixed", u64)  # bits of satp and vsatp that are read-only zero
HartState.outside("vmid_fixed", u64)  # bits of hgatp that are read-only zero
HartState.outside("pmp_fixed", u8)  # how many of the last PMP entries are read-only zero
HartState.outside("tinst_zero", u8)  # 1: htinst and mtinst hold no transformed instructions
HartState.outside("menvcfg_reset", u64)  # menvcfg after a reset

HartState.outside("seed_fn", u64)  # host function (hart, index, 0, 0) -> 16 bits; 0: none
HartState.saved("seed_index", u64)  # how many numbers of the entropy source were used up
HartState.outside("seed_repeats", u8)  # 1: the numbers are the same after each reset
HartState.outside("mmio_read", u64)  # host function (hart, pa, size, 0) -> value
HartState.outside("mmio_write", u64)  # host function (hart, pa, size, value)
HartState.derived("mmio_error", u8)  # that function found no device, or the device refused

HartState.outside("decode_rows", ptr(DecodeRow))  # what this hart decodes: see engine/decode.py
HartState.outside("decode_buckets", u64)  # host address: u16 first row number, by bucket
HartState.outside("decode_order", u64)  # host address: u16 row numbers, bucket by bucket
HartState.outside("scratch_slots", u64)  # host address of a slot page for one instruction at a time
HartState.outside("scratch_bits", u64)  # the instruction that its slot holds, + 1

HartState.outside("slot_pages", u64)  # host address: a u64 a RAM page, its slots' host address or 0
HartState.outside("slot_pool", u64)  # host address of the memory for slots
HartState.outside("slot_pool_used", u64)  # bytes
HartState.outside("slot_pool_size", u64)  # bytes
HartState.outside("csr_present", u8, 4096)

STOP_NONE = 0
STOP_LIMIT = 1  # the limit of instructions is reached
STOP_WFI = 2  # nothing to do until an interrupt
STOP_REQUEST = 3  # another thread asked
STOP_BREAK = 4  # a debugger's breakpoint
STOP_STUCK = 5  # a loop of a plugin's text was ended: the instruction at pc is half done
