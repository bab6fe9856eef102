"""CSRs of plugins: native code of its own, which the code of everything that ships calls.

Code of what ships knows its own rows only, so that it stays the same whatever plugins there are. A
number that it has no row for is looked up in the machine's table, where the code of each plugin's
extension has entered its functions. They have the form of exports (lang/native/unit.py): a pointer
to where the value goes comes last, and the result says whether something was raised.
"""

from rvplat.hart.state import STOP_STUCK, HartState, MachineState
from rvplat.hart.trap import Abandoned, Trap
from rvplat.lang import Record, define, intrinsic, ptr, u8, u32, u64

AddedCsr = Record("AddedCsr")  # host addresses of functions; 0: the CSR has none
AddedCsr.add("read", u64)
AddedCsr.add("write", u64)
AddedCsr.add("guard", u64)

MachineState.add("added_csrs", ptr(AddedCsr))  # by number
MachineState.add("has_added_csrs", u8)
HartState.derived("csr_value", u64)  # what the last one of them was read as

CSRS = 1 << 12  # numbers of CSRs
_VALUE = HartState.fields["csr_value"].offset
_FUNCTION = "%f{t} = inttoptr i64 {0} to ptr\n"


@intrinsic(
    f"{_FUNCTION}%v{{t}} = getelementptr i8, ptr {{1}}, i64 {_VALUE}\n"
    "{result} = call i8 %f{t}(ptr {1}, i32 {2}, ptr %v{t})",
    writes=True,
)
def call_reader(address: u64, hart: HartState, number: u32) -> u8:
    """Call a function that reads; CPython finds the definition itself."""
    raise NotImplementedError


@intrinsic(_FUNCTION + "{result} = call i8 %f{t}(ptr {1}, i64 {2}, i32 {3}, ptr null)", writes=True)
def call_writer(address: u64, hart: HartState, value: u64, number: u32) -> u8:
    """Call a function that writes."""
    raise NotImplementedError


@intrinsic(_FUNCTION + "{result} = call i8 %f{t}(ptr {1}, i1 {2}, i32 {3}, ptr null)", writes=True)
def call_guard(address: u64, hart: HartState, write: bool, number: u32) -> u8:
    """Call a function that refuses accesses."""
    raise NotImplementedError


@define
def after_call(hart, next_pc: u64, raised: u8):
    """Pass on what was raised. A jump counts, although the CSR's instruction is none that jumps."""
    if hart.next_pc != next_pc:
        hart.resync = 1
    if raised != 0:
        if hart.stop == STOP_STUCK:
            raise Abandoned
        raise Trap


@define(cold=True)
def added_read(hart, number: u32) -> u64:
    """Read a plugin's CSR; 0 for a number that nobody has, which csr_check refuses."""
    if hart.machine.has_added_csrs == 0:
        return u64(0)
    function = hart.machine.added_csrs[number].read
    if function == 0:
        return u64(0)
    next_pc = hart.next_pc
    after_call(hart, next_pc, call_reader(function, hart, number))
    return hart.csr_value


@define(cold=True)
def added_write(hart, value: u64, number: u32):
    """Write a plugin's CSR; nothing for a number that nobody has, or that is read-only."""
    if hart.machine.has_added_csrs == 0:
        return
    function = hart.machine.added_csrs[number].write
    if function != 0:
        next_pc = hart.next_pc
        after_call(hart, next_pc, call_writer(function, hart, value, number))


@define(cold=True)
def added_guard(hart, write: bool, number: u32):
    """Ask the condition of access of a plugin's CSR, if it has one."""
    if hart.machine.has_added_csrs == 0:
        return
    function = hart.machine.added_csrs[number].guard
    if function != 0:
        next_pc = hart.next_pc
        after_call(hart, next_pc, call_guard(function, hart, write, number))
