/*
 * Traps and system calls: U mode calls S mode, which saves the registers, looks the call up and
 * returns. Every eighth call goes on to M mode, as an SBI call does. Causes 8 and 9: environment
 * call from U and from S.
 */
#include "../measure.h"

#define CALLS 1200000

void supervisor_entry(void);
void machine_entry(void);

asm(".macro frame op\n"
    "  .irp r, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31\n"
    "    \\op x\\r, 8 * \\r(sp)\n"
    "  .endr\n"
    ".endm\n"
    ".balign 4\n"
    "supervisor_entry:\n"
    "  csrrw sp, sscratch, sp\n" /* switch to its own stack, keep the user's */
    "  addi sp, sp, -256\n"
    "  frame sd\n"
    "  mv a2, a7\n"
    "  csrr a3, scause\n"
    "  call handle_call\n"
    "  sd a0, 80(sp)\n"
    "  csrr t0, sepc\n"
    "  addi t0, t0, 4\n" /* continue after the ecall */
    "  csrw sepc, t0\n"
    "  frame ld\n"
    "  addi sp, sp, 256\n"
    "  csrrw sp, sscratch, sp\n"
    "  sret\n"
    ".balign 4\n"
    "machine_entry:\n"
    "  csrrw t0, mscratch, t0\n"
    "  csrr t0, mepc\n"
    "  addi t0, t0, 4\n"
    "  csrw mepc, t0\n"
    "  slli a0, a0, 1\n"
    "  csrrw t0, mscratch, t0\n"
    "  mret\n");

static u8 supervisor_stack[4096] __attribute__((aligned(16)));
static u64 total;

static u64 call(u64 number, u64 a, u64 b)
{
    register u64 a0 asm("a0") = a, a1 asm("a1") = b, a7 asm("a7") = number;
    asm volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
    return a0;
}

__attribute__((used)) u64 handle_call(u64 a, u64 b, u64 number, u64 cause)
{
    if (cause != 8) power_off_with(3);
    switch (number) {
    case 0: return a + b;
    case 1: return a ^ b << 3;
    case 2: return total += a;
    case 3: return a * 3 - total;
    case 4: return call(0, a, b); /* ecall from S: machine_entry doubles a0 */
    default: return a;
    }
}

static u64 run(void)
{
    u64 value = 1;
    for (u64 i = 0; i < CALLS; i++) {
        u64 number = i & 7;
        value = call(number, value, i);
    }
    return value;
}

int main(void)
{
    csr_write(medeleg, 1 << 8);
    csr_write(mtvec, machine_entry);
    leave_machine_mode();
    csr_write(stvec, supervisor_entry);
    csr_write(sscratch, supervisor_stack + sizeof supervisor_stack);
    to_user();
    power_off_with(measure("syscall", 0x14d5b3f578c84134, run));
}
