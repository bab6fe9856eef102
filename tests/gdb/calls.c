/* What gdb calls functions of: S mode, on a stack that isn't executable, as kernels have it. */
#include "lib.h"

#define PTE(address, flags) ((u64)(address) >> 12 << 10 | (flags))
#define LEAF_RWX 0xcf /* V R W X A D */
#define LEAF_RW 0xc7
#define MEGAPAGE 0x200000UL
#define RAM 0x80000000UL
#define PLAIN __attribute__((noinline, optnone)) /* as it is written, so that gdb sees all */

static u64 root[512] __attribute__((aligned(4096)));
static u64 ram[512] __attribute__((aligned(4096)));
static char heap[4096];
static u64 used;
char *volatile s = "before";
volatile u64 rounds;

PLAIN void *malloc(u64 size)
{
    void *found = heap + used;
    used += (size + 15) & ~15UL;
    return found;
}

PLAIN u64 f(u64 n)
{
    return n < 2 ? 1 : n * f(n - 1);
}

PLAIN double half(double x)
{
    return x / 2;
}

PLAIN u64 work(u64 n)
{
    rounds = n;
    return n + 1;
}

NOINLINE void go_on(void)
{
    u64 n = f(1) + (half(2) == 1) + (malloc(1) == 0) + (*s == 0);
    for (;;) n = work(n);
}

/* The stack's megapage once more, without X, beside the one of the code. */
int main(void)
{
    root[0] = PTE(0, LEAF_RW); /* devices */
    root[2] = PTE(ram, 1);
    ram[0] = PTE(RAM, LEAF_RWX);
    ram[1] = PTE(RAM, LEAF_RW);
    to_supervisor();
    csr_write(satp, 8UL << 60 | (u64)root >> 12);
    __asm__ volatile("sfence.vma\nadd sp, sp, %0" :: "r"(MEGAPAGE) : "memory");
    go_on();
    return 0;
}
