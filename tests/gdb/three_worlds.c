/*
 * A host in HS mode and its two guests, which share all memory and have no page tables of their own:
 * the three run the same function, at the same virtual and the same physical address.
 */
#include "lib.h"

#define VMID(n) ((u64)(n) << 44)
#define SV39X4 (8UL << 60)
#define PASSES 100 /* of the host and of the first guest, for one of the second */

enum { HOST, FIRST, SECOND, WORLDS };
enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128 };

volatile u64 passes[WORLDS];
volatile u64 rounds;
static u64 stage[2048] __attribute__((aligned(16384)));
static u8 stacks[WORLDS][1024] __attribute__((aligned(16)));

__attribute__((noinline)) void host_work(u64 world)
{
    passes[world]++;
}

__attribute__((noinline, noreturn)) static void guest(u64 world)
{
    for (u64 n = world == SECOND ? 1 : PASSES; n; n--)
        host_work(world);
    __asm__ volatile("ecall");
    __builtin_unreachable();
}

/* Runs a guest until it calls. */
__attribute__((naked, noinline)) static void enter(u64 world, u8 *stack, void (*start)(u64))
{
    __asm__ volatile(
        "addi sp, sp, -112\n"
        "sd ra, 0(sp)\n sd s0, 8(sp)\n sd s1, 16(sp)\n sd s2, 24(sp)\n sd s3, 32(sp)\n"
        "sd s4, 40(sp)\n sd s5, 48(sp)\n sd s6, 56(sp)\n sd s7, 64(sp)\n sd s8, 72(sp)\n"
        "sd s9, 80(sp)\n sd s10, 88(sp)\n sd s11, 96(sp)\n"
        "csrw sscratch, sp\n"
        "la t0, 1f\n"
        "csrw stvec, t0\n"
        "csrw sepc, a2\n"
        "mv sp, a1\n"
        "sret\n"
        ".balign 4\n"
        "1: csrr sp, sscratch\n"
        "ld ra, 0(sp)\n ld s0, 8(sp)\n ld s1, 16(sp)\n ld s2, 24(sp)\n ld s3, 32(sp)\n"
        "ld s4, 40(sp)\n ld s5, 48(sp)\n ld s6, 56(sp)\n ld s7, 64(sp)\n ld s8, 72(sp)\n"
        "ld s9, 80(sp)\n ld s10, 88(sp)\n ld s11, 96(sp)\n"
        "addi sp, sp, 112\n"
        "ret\n");
}

int main(void)
{
    csr_write(medeleg, 1 << 10); /* the call from VS mode */
    to_supervisor();
    stage[2] = 0x80000000UL >> 12 << 10 | V | R | W | X | U | A | D;
    for (;;) {
        for (u64 n = 0; n < PASSES; n++)
            host_work(HOST);
        for (u64 world = FIRST; world < WORLDS; world++) {
            csr_write(hgatp, SV39X4 | VMID(world) | (u64)stage >> 12);
            csr_set(hstatus, 1 << 7); /* SPV: sret goes to V=1 */
            csr_set(sstatus, 1 << 8); /* SPP */
            enter(world, stacks[world] + sizeof stacks[world], guest);
        }
        rounds++;
    }
}
