/*
 * Data beside code: counters are in the page of the code that changes them, like literal pools and
 * the inline caches of compilers.
 */
#include "../measure.h"

#define ROUNDS 2000000

asm(".section .text.beside, \"ax\"\n"
    ".balign 4096\n"
    "counters: .space 512\n"
    ".text\n");
extern u64 counters[64];

__attribute__((section(".text.beside"))) static NOINLINE u64 count(u64 rounds)
{
    u64 sum = 0;
    for (u64 i = 0; i < rounds; i++) {
        u64 slot = (sum ^ i) & 63;
        counters[slot] += i;
        sum = sum * 5 + counters[slot ^ 21];
        counters[slot ^ 42] ^= sum;
    }
    return sum;
}

static u64 run(void)
{
    for (int i = 0; i < 64; i++) counters[i] = i;
    return count(ROUNDS);
}

int main(void) { return measure("beside", 0x51e900ed24cf1c58, run); }
