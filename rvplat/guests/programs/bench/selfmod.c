/*
 * Self-modifying code: replaces an instruction of a function, executes fence.i and calls the
 * function, like a just-in-time compiler.
 */
#include "../measure.h"

#define PATCHES 160000
#define CALLS 8

asm(".section .patched, \"awx\"\n"
    ".option push\n.option norvc\n"
    "patched: addi a0, a0, 0\n"
    "  xori a0, a0, 5\n"
    "  slli a1, a0, 3\n"
    "  add a0, a0, a1\n"
    "  ret\n"
    ".option pop\n"
    ".text\n");
extern u32 patched[];

static u64 run(void)
{
    u64 (*function)(u64) = (u64 (*)(u64))patched;
    u64 sum = 1;
    for (u32 i = 0; i < PATCHES; i++) {
        u32 immediate = i & 0x7ff; /* addi a0, a0, immediate */
        REG(u32, patched) = immediate << 20 | 10 << 15 | 0 << 12 | 10 << 7 | 0x13;
        asm volatile("fence.i" ::: "memory");
        for (int j = 0; j < CALLS; j++) sum = function(sum);
    }
    return sum;
}

int main(void) { return measure("selfmod", 0xe92e94af836be801, run); }
