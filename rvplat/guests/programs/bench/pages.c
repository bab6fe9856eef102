/*
 * TLB pressure: S mode under Sv39 accesses 64 MiB in 16,384 pages of 4 KiB, in an order with many
 * TLB misses. Meanwhile pages change places, each time with an sfence.vma.
 */
#include "../measure.h"

#define PAGES 16384
#define WINDOW 0x1000000000UL /* where the pages are mapped: entry 64 of the root */
#define TOUCHES 4000000
#define EXCHANGE_EVERY 4096

enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };

BIG static u8 memory[PAGES][4096];
BIG static u64 root[512], middle[512], leaves[PAGES];

static u64 entry(const void *to, u64 flags) { return (u64)to >> 12 << 10 | flags; }

static void map(void)
{
    for (int i = 0; i < 512; i++) root[i] = middle[i] = 0;
    for (u64 i = 0; i < 4; i++) root[i] = i << 28 | V | R | W | X | A | D; /* 4 GiB, mapped 1:1 */
    root[WINDOW >> 30] = entry(middle, V);
    for (int i = 0; i < PAGES / 512; i++) middle[i] = entry(&leaves[i * 512], V);
    for (int i = 0; i < PAGES; i++) leaves[i] = entry(memory[i], V | R | W | A | D);
    csr_write(satp, 8UL << 60 | (u64)root >> 12);
    asm volatile("sfence.vma" ::: "memory");
}

static void exchange(u64 i, u64 j)
{
    u64 t = leaves[i];
    leaves[i] = leaves[j];
    leaves[j] = t;
    asm volatile("sfence.vma %0, zero" ::"r"(WINDOW + i * 4096) : "memory");
    asm volatile("sfence.vma %0, zero" ::"r"(WINDOW + j * 4096) : "memory");
}

static u64 run(void)
{
    u64 seed = 19, sum = 0;
    for (u64 i = 0; i < PAGES; i++) REG(u64, WINDOW + i * 4096 + i % 512 * 8) = i;
    for (u64 i = 0; i < TOUCHES; i++) {
        u64 r = next_random(&seed), page = r % PAGES;
        volatile u64 *word = (u64 *)(WINDOW + page * 4096 + page % 512 * 8);
        sum = sum * 3 + *word;
        *word = sum ^ i;
        if (i % EXCHANGE_EVERY == 0) exchange(page, page ^ 512);
    }
    return sum;
}

int main(void)
{
    leave_machine_mode();
    for (u64 i = 0; i < PAGES; i++) REG(u64, memory[i] + i % 512 * 8) = 0;
    map();
    power_off_with(measure("pages", 0x7842803b3e5042d9, run));
}
