"""gdb's agent expressions, evaluated natively (GDB manual, "The GDB Agent Expression Mechanism").

A condition of a breakpoint is bytecode for a stack machine. Here it runs on a hart's state without
changing it. What can't be evaluated (memory that isn't there, division by zero, a loop that goes on
for ever, an empty stack) is an error, and a breakpoint stops at one, as gdb's own server does.

Registers have gdb's numbers: 0 to 31 x, 32 pc, 33 to 64 f, 65 + n CSR n, then priv, virt, vmid,
asid.
"""

from rvplat.hart.debugging.worlds import current_asid, current_world
from rvplat.hart.mmu import debug_translate
from rvplat.hart.ram import ram_host, read_host
from rvplat.hart.state import DATA_ENTRIES, HartState
from rvplat.hart.trap import Trap
from rvplat.isa.machinery.vocabulary import csr_read
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import define, read_u8, s64, sdiv, srem, u32, u64

STACK = 64
STEPS = 4096  # an expression that goes on longer is an error
FALSE = 0
TRUE = 1
ERROR = 2
REG_PC = 32
REG_F = 33
REG_CSR = 65
REG_PRIV = 4161
REG_VIRT = 4162
REG_VMID = 4163
REG_ASID = 4164

HartState.add("agent_stack", u64, STACK + 4)  # so that a push past the end is found afterwards
HartState.add("agent_depth", u64)
HartState.add("agent_error", u64)


@define
def operand(code: u64, size: u64) -> u64:
    """A big-endian operand."""
    value = u64(0)
    for i in range(size):
        value = value << 8 | u64(read_u8(code + i))
    return value


@define(cold=True)
def agent_csr(hart, number: u64) -> u64:
    """A CSR; in a guest the supervisor's are the VS ones."""
    n = u32(number)
    if hart.virt != 0 and n >> 8 & 3 == 1 and hart.csr_present[n + 0x100] != 0:
        n += 0x100
    if hart.csr_present[n] == 0:
        hart.agent_error = 1
        return u64(0)
    try:
        return csr_read(hart, n)
    except Trap:
        hart.agent_error = 1
    return u64(0)


@define(cold=True)
def agent_special(hart, number: u64) -> u64:
    """Registers beyond x and pc."""
    if number < REG_CSR:
        return hart.f[number - REG_F]
    if number < REG_PRIV:
        return agent_csr(hart, number - REG_CSR)
    if number == REG_PRIV:
        return u64(hart.priv) | u64(hart.virt) << 2
    if number == REG_VIRT:
        return u64(hart.virt)
    if number == REG_VMID:
        world = current_world(hart)
        return world - 1 if world != 0 else u64(0)
    if number == REG_ASID:
        return current_asid(hart)
    hart.agent_error = 1
    return u64(0)


@define
def agent_register(hart, number: u64) -> u64:
    """A register by gdb's number."""
    if number < 32:
        return hart.x[number]
    if number == REG_PC:
        return hart.pc
    return agent_special(hart, number)


@define(cold=True)
def agent_load_slow(hart, va: u64, size: u64) -> u64:
    """Memory that no TLB entry has, as a debugger looks at it. Devices aren't touched."""
    value = u64(0)
    for i in range(size):
        pa, mapped = debug_translate(hart, va + i)
        host = ram_host(hart, pa) if mapped else u64(0)
        if host == 0:
            hart.agent_error = 1
            return u64(0)
        value |= u64(read_u8(host)) << (8 * i)
    return value


@define
def agent_load(hart, va: u64, size: u64) -> u64:
    """Memory in the world that the hart is in."""
    entry = hart.tlb[va >> 12 & (DATA_ENTRIES - 1)]
    if entry.read_tag == va & (PAGE_MASK | (size - 1)):
        return read_host(va + entry.addend, size)
    return agent_load_slow(hart, va, size)


@define
def extend(value: u64, bits: u64) -> u64:
    """Sign-extend from a width of 1 to 63 bits; 64 and 0 leave it."""
    if bits == 0 or bits >= 64:
        return value
    shift = 64 - bits
    return u64(s64(value << shift) >> shift)


@define
def zero_extend(value: u64, bits: u64) -> u64:
    """Keep the low bits."""
    return value if bits >= 64 else value & ((u64(1) << bits) - 1)


@define(cold=True)
def divide(hart, op: u64, a: u64, b: u64) -> u64:
    """div_signed 5, div_unsigned 6, rem_signed 7, rem_unsigned 8."""
    if b == 0:
        hart.agent_error = 1
        return u64(0)
    if op == 6:
        return a // b
    if op == 8:
        return a % b
    if b == 0xFFFF_FFFF_FFFF_FFFF:
        return 0 - a if op == 5 else u64(0)
    return u64(sdiv(s64(a), s64(b))) if op == 5 else u64(srem(s64(a), s64(b)))


@define
def shift(op: u64, a: u64, b: u64) -> u64:
    """lsh 9, rsh_signed 10, rsh_unsigned 11; a count of 64 or more shifts everything out."""
    if b >= 64:
        return u64(s64(a) >> 63) if op == 10 else u64(0)
    if op == 9:
        return a << b
    return u64(s64(a) >> b) if op == 10 else a >> b


@define
def binary(hart, op: u64, a: u64, b: u64) -> u64:
    """What takes two values: add 2 ... rsh_unsigned 11, bit_and 15 ... less_unsigned 21."""
    if op == 2:
        return a + b
    if op == 3:
        return a - b
    if op == 4:
        return a * b
    if op <= 8:
        return divide(hart, op, a, b)
    if op <= 11:
        return shift(op, a, b)
    if op == 15:
        return a & b
    if op == 16:
        return a | b
    if op == 17:
        return a ^ b
    if op == 19:
        return u64(a == b)
    if op == 20:
        return u64(s64(a) < s64(b))
    return u64(a < b)


@define
def is_binary(op: u64) -> bool:
    """Opcodes of `binary`."""
    return op < 22 and u64(0x3B_8FFC) >> op & 1 != 0


# --- the stack machine --------------------------------------------------------------------------


@define
def push(hart, value: u64):
    """One more value."""
    hart.agent_stack[hart.agent_depth] = value
    hart.agent_depth += 1


@define
def top(hart, down: u64) -> u64:
    """A value by its depth; what isn't there is an error."""
    if down >= hart.agent_depth:
        hart.agent_error = 1
        return u64(0)
    return hart.agent_stack[hart.agent_depth - 1 - down]


@define
def pop(hart) -> u64:
    """The uppermost value, taken away."""
    value = top(hart, u64(0))
    if hart.agent_error == 0:
        hart.agent_depth -= 1
    return value


@define
def rotate(hart):
    """rot: the uppermost value goes below the two under it."""
    c = pop(hart)
    b = pop(hart)
    a = pop(hart)
    push(hart, c)
    push(hart, a)
    push(hart, b)


@define
def exchange(hart):
    """swap: the two uppermost values."""
    b = pop(hart)
    a = pop(hart)
    push(hart, b)
    push(hart, a)


@define
def plain(hart, op: u64):
    """An opcode without operands that neither jumps nor ends."""
    if is_binary(op):
        b = pop(hart)
        push(hart, binary(hart, op, pop(hart), b))
    elif op == 0x0E:
        push(hart, u64(pop(hart) == 0))
    elif op == 0x12:
        push(hart, ~pop(hart))
    elif op >= 0x17 and op <= 0x1A:
        push(hart, agent_load(hart, pop(hart), u64(1) << (op - 0x17)))
    elif op == 0x28:
        push(hart, top(hart, u64(0)))
    elif op == 0x29:
        pop(hart)
    elif op == 0x2B:
        exchange(hart)
    elif op == 0x33:
        rotate(hart)
    else:
        hart.agent_error = 1


@define
def with_operand(hart, op: u64, value: u64):
    """An opcode with an operand that doesn't jump."""
    if op >= 0x22 and op <= 0x25:
        push(hart, value)
    elif op == 0x26:
        push(hart, agent_register(hart, value))
    elif op == 0x16:
        push(hart, extend(pop(hart), value))
    elif op == 0x2A:
        push(hart, zero_extend(pop(hart), value))
    elif op == 0x32:
        push(hart, top(hart, value))
    else:
        hart.agent_error = 1


@define
def operand_size(op: u64) -> u64:
    """Bytes of an opcode's operand."""
    if op == 0x20 or op == 0x21 or op == 0x23 or op == 0x26:
        return u64(2)
    if op == 0x16 or op == 0x22 or op == 0x2A or op == 0x32:
        return u64(1)
    if op == 0x24:
        return u64(4)
    return u64(8) if op == 0x25 else u64(0)


@define
def evaluate(hart, code: u64, length: u64) -> u64:
    """Run an expression at a host address: FALSE, TRUE or ERROR."""
    hart.agent_depth = 0
    hart.agent_error = 0
    at = u64(0)
    for _step in range(STEPS):
        if at >= length or hart.agent_error != 0 or hart.agent_depth > STACK:
            return u64(ERROR)
        op = u64(read_u8(code + at))
        size = operand_size(op)
        if at + 1 + size > length:
            return u64(ERROR)
        value = operand(code + at + 1, size)
        at += 1 + size
        if op == 0x27:
            return finish(hart)
        if op == 0x21 or (op == 0x20 and pop(hart) != 0):
            at = value
        elif size != 0 and op != 0x20:
            with_operand(hart, op, value)
        elif op != 0x20:
            plain(hart, op)
    return u64(ERROR)


@define
def finish(hart) -> u64:
    """end: the uppermost value is the result."""
    value = top(hart, u64(0))
    if hart.agent_error != 0:
        return u64(ERROR)
    return u64(value != 0)
