/* What gdb debugs in these tests: functions that are called for ever, traps in between. */
#include "lib.h"

volatile u64 calls;         /* of work */
volatile u64 rounds;
volatile u64 busy[64];      /* written all the time */
volatile u64 quiet_word;    /* beside it, written each thousandth round */
volatile u64 limit;         /* rounds to go; 0: for ever */

__attribute__((noinline)) u64 work(u64 n)
{
    u64 sum = n;
    for (u64 i = 0; i < 4; i++)
        sum = sum * 3 + (sum >> 7) + i;
    calls++;
    return sum;
}

__attribute__((noinline)) void touch(u64 n)
{
    busy[n & 63] = n;
    if (n % 1000 == 0)
        quiet_word = n;
}

__attribute__((noinline)) u64 never(u64 n)
{
    return n + 1;
}

/* a trap to M mode and back; the handler passes over the instruction */
__attribute__((noinline)) void trap(void)
{
    __asm__ volatile(".option push\n.option norvc\necall\n.option pop" ::: "memory");
}

__attribute__((naked, aligned(4))) void handler(void)
{
    __asm__ volatile(
        "csrw mscratch, t0\n"
        "csrr t0, mepc\n"
        "addi t0, t0, 4\n"
        "csrw mepc, t0\n"
        "csrr t0, mscratch\n"
        "mret\n");
}

int main(void)
{
    u64 sum = 0;
    __asm__ volatile("csrw mtvec, %0" :: "r"(handler));
    for (u64 n = 1; limit == 0 || n <= limit; n++) {
        sum += work(n);
        touch(n);
        if (n % 16 == 0)
            trap();
        rounds = n;
        if (sum == 42)
            sum = never(sum);
    }
    return 0;
}
