"""gdb's agent expressions, evaluated natively (GDB manual, "The GDB Agent Expression Mechanism").

The condition of a breakpoint is bytecode for a stack machine. This module evaluates it on a hart's
state and changes nothing. Missing memory, a division by zero, an empty stack and an endless loop
are errors. A breakpoint whose condition has an error stops the hart, as in gdb's own server.

Registers have gdb's numbers: x 0 to 31, pc 32, f 33 to 64, CSR n 65 + n, then priv, virt, vmid and
asid. agent_opcodes.py describes the opcodes.
"""

from rvplat.engine.agent_opcodes import (
    ADD,
    BIT_AND,
    BIT_NOT,
    BIT_OR,
    BIT_XOR,
    CONST8,
    CONST64,
    DIV_SIGNED,
    DIV_UNSIGNED,
    DUP,
    END,
    EQUAL,
    EXT,
    GOTO,
    IF_GOTO,
    LESS_SIGNED,
    LOG_NOT,
    LSH,
    MUL,
    PICK,
    POP,
    REF8,
    REF64,
    REG,
    REM_UNSIGNED,
    ROT,
    RSH_SIGNED,
    RSH_UNSIGNED,
    SUB,
    SWAP,
    ZERO_EXT,
    codes_where,
    immediates,
    is_binary,
)
from rvplat.engine.search_memory import searched_load
from rvplat.hart.debugging.worlds import current_asid, current_world
from rvplat.hart.mmu import debug_translate
from rvplat.hart.ram import ram_host, read_host
from rvplat.hart.state import DATA_ENTRIES, HartState
from rvplat.hart.trap import Trap
from rvplat.isa.machinery.vocabulary import csr_read
from rvplat.isa.privileged import PAGE_MASK
from rvplat.lang import (
    bswap,
    define,
    read_u8,
    read_u16,
    read_u32,
    read_u64,
    s64,
    sdiv,
    srem,
    u32,
    u64,
)

STACK = 64
STEPS = 4096  # an expression with more steps is an error
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
BINARY = codes_where(is_binary)
SIZES_1, SIZES_2, SIZES_3 = (immediates(row) for row in (1, 2, 3))

HartState.outside("agent_stack", u64, STACK + 4)  # checked only after an opcode's pushes
HartState.outside("agent_depth", u64)
HartState.outside("agent_error", u64)


@define
def operand(code: u64, size: u64) -> u64:
    """A big-endian operand of 0, 1, 2, 4 or 8 bytes."""
    if size == 0:
        return u64(0)
    if size == 1:
        return u64(read_u8(code))
    if size == 2:
        return bswap(u64(read_u16(code))) >> 48
    if size == 4:
        return bswap(u64(read_u32(code))) >> 32
    return bswap(read_u64(code))


@define(cold=True)
def agent_csr(hart, number: u64) -> u64:
    """A CSR. In a guest a supervisor CSR means its VS twin."""
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
        return u64(hart.x[number])
    if number == REG_PC:
        return hart.pc
    return agent_special(hart, number)


@define(cold=True)
def agent_load_slow(hart, va: u64, size: u64) -> u64:
    """Load without a TLB entry, by a walk without side effects. Devices aren't accessed."""
    value = u64(0)
    for i in range(size):
        found = debug_translate(hart, va + i)
        host = ram_host(hart, found.pa) if found.mapped else u64(0)
        if host == 0:
            hart.agent_error = 1
            return u64(0)
        value |= u64(read_u8(host)) << (8 * i)
    return value


@define
def agent_load(hart, va: u64, size: u64) -> u64:
    """Memory at a virtual address of the hart's world."""
    if hart.search_code != 0:
        return searched_load(hart, va, size)
    entry = hart.tlb[va >> 12 & (DATA_ENTRIES - 1)]
    if entry.read_tag == va & (PAGE_MASK | (size - 1)):
        return read_host(va + entry.addend, size)
    return agent_load_slow(hart, va, size)


@define
def extend(value: u64, bits: u64) -> u64:
    """Sign-extend from a width of 1 to 63 bits; 64 and 0 change nothing."""
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
    """The two quotients and the two remainders. A divisor of 0 is an error."""
    if b == 0:
        hart.agent_error = 1
        return u64(0)
    if op == DIV_UNSIGNED:
        return a // b
    if op == REM_UNSIGNED:
        return a % b
    if b == 0xFFFF_FFFF_FFFF_FFFF:
        return 0 - a if op == DIV_SIGNED else u64(0)
    return u64(sdiv(s64(a), s64(b))) if op == DIV_SIGNED else u64(srem(s64(a), s64(b)))


@define
def shift(op: u64, a: u64, b: u64) -> u64:
    """The three shifts. A count of 64 or more shifts every bit out."""
    if b >= 64:
        return u64(s64(a) >> 63) if op == RSH_SIGNED else u64(0)
    if op == LSH:
        return a << b
    return u64(s64(a) >> b) if op == RSH_SIGNED else a >> b


@define
def binary(hart, op: u64, a: u64, b: u64) -> u64:
    """The result of a binary opcode."""
    if op == ADD:
        return a + b
    if op == SUB:
        return a - b
    if op == MUL:
        return a * b
    if op <= REM_UNSIGNED:
        return divide(hart, op, a, b)
    if op <= RSH_UNSIGNED:
        return shift(op, a, b)
    if op == BIT_AND:
        return a & b
    if op == BIT_OR:
        return a | b
    if op == BIT_XOR:
        return a ^ b
    if op == EQUAL:
        return u64(a == b)
    if op == LESS_SIGNED:
        return u64(s64(a) < s64(b))
    return u64(a < b)


@define
def is_one_of(op: u64, codes: u64) -> bool:
    """Whether an opcode is in a mask of opcodes."""
    return op < 64 and codes >> op & 1 != 0


# --- the stack machine --------------------------------------------------------------------------


@define
def push(hart, value: u64):
    """Push a value."""
    hart.agent_stack[hart.agent_depth] = value
    hart.agent_depth += 1


@define
def top(hart, down: u64) -> u64:
    """The value at a depth, 0 for the top. A depth beyond the stack is an error."""
    if down >= hart.agent_depth:
        hart.agent_error = 1
        return u64(0)
    return hart.agent_stack[hart.agent_depth - 1 - down]


@define
def pop(hart) -> u64:
    """Pop the top value."""
    value = top(hart, u64(0))
    if hart.agent_error == 0:
        hart.agent_depth -= 1
    return value


@define
def rotate(hart):
    """rot: move the top value below the two under it."""
    c = pop(hart)
    b = pop(hart)
    a = pop(hart)
    push(hart, c)
    push(hart, a)
    push(hart, b)


@define
def exchange(hart):
    """swap: exchange the two top values."""
    b = pop(hart)
    a = pop(hart)
    push(hart, b)
    push(hart, a)


@define
def plain(hart, op: u64):
    """An opcode that has no immediate, neither jumps nor ends."""
    if is_one_of(op, u64(BINARY)):
        b = pop(hart)
        push(hart, binary(hart, op, pop(hart), b))
    elif op == LOG_NOT:
        push(hart, u64(pop(hart) == 0))
    elif op == BIT_NOT:
        push(hart, ~pop(hart))
    elif op >= REF8 and op <= REF64:
        push(hart, agent_load(hart, pop(hart), u64(1) << (op - REF8)))
    elif op == DUP:
        push(hart, top(hart, u64(0)))
    elif op == POP:
        pop(hart)
    elif op == SWAP:
        exchange(hart)
    elif op == ROT:
        rotate(hart)
    else:
        hart.agent_error = 1


@define
def with_operand(hart, op: u64, value: u64):
    """An opcode that has an immediate and doesn't jump."""
    if op >= CONST8 and op <= CONST64:
        push(hart, value)
    elif op == REG:
        push(hart, agent_register(hart, value))
    elif op == EXT:
        push(hart, extend(pop(hart), value))
    elif op == ZERO_EXT:
        push(hart, zero_extend(pop(hart), value))
    elif op == PICK:
        push(hart, top(hart, value))
    else:
        hart.agent_error = 1


@define
def operand_size(op: u64) -> u64:
    """Bytes of an opcode's immediate."""
    place = (op & 15) << 2
    if op >> 4 == 2:
        return u64(SIZES_2) >> place & 15
    if op >> 4 == 1:
        return u64(SIZES_1) >> place & 15
    return u64(SIZES_3) >> place & 15 if op >> 4 == 3 else u64(0)


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
        if op == END:
            return finish(hart)
        if op == GOTO or (op == IF_GOTO and pop(hart) != 0):
            at = value
        elif size != 0 and op != IF_GOTO:
            with_operand(hart, op, value)
        elif op != IF_GOTO:
            plain(hart, op)
    return u64(ERROR)


@define
def finish(hart) -> u64:
    """end: the top value is the result."""
    value = top(hart, u64(0))
    if hart.agent_error != 0:
        return u64(ERROR)
    return u64(value != 0)
