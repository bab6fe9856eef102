/*
 * The mode in which a benchmark runs. If the register tp is set before the first instruction, this is
 * HS mode or VS mode with translation; otherwise the program decides. RAM is mapped to itself in
 * pages of 4 KiB at each stage, so that a TLB miss of a guest takes the longest walk.
 * The RISC-V Instruction Set Manual, Volume II: Hypervisor Extension.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include "lib.h"

enum { ITS_OWN_MODE, IN_HS, IN_VS };

#define RAM 0x80000000UL
#define LEAVES (1 << 15)      /* pages of 4 KiB: 128 MiB */
#define SV39 8UL              /* satp.MODE, vsatp.MODE; hgatp.MODE: Sv39x4 */
#define MAPPED (1 | 2 | 4 | 8 | 64 | 128) /* V, R, W, X, A, D */
#define OF_USER 16            /* the G-stage treats every access as one of user mode */
#define USER_CALL (1 << 8)    /* medeleg, hedeleg: environment call from U and VU */
#define MPV (1UL << 39)       /* of mstatus: mret goes to a guest */

struct stage {
    u64 root[4 * 512]; /* hypervisor.adoc: 16 KiB at the G-stage */
    u64 middle[512], leaves[LEAVES];
};

static u64 left_machine_mode;
static struct stage host __attribute__((section(".big"), aligned(16384)));
static struct stage guest __attribute__((section(".big"), aligned(16384)));

static NOINLINE u64 map_as_it_lies(struct stage *stage, u64 flags)
{
    for (int i = 0; i < 4 * 512; i++) stage->root[i] = 0;
    for (int i = 0; i < 512; i++) stage->middle[i] = 0;
    stage->root[0] = flags; /* the devices: 1 GiB */
    stage->root[RAM >> 30] = (u64)stage->middle >> 12 << 10 | 1;
    for (u64 i = 0; i < LEAVES; i++) stage->leaves[i] = ((RAM >> 12) + i) << 10 | flags;
    for (int i = 0; i < LEAVES / 512; i++)
        stage->middle[i] = (u64)&stage->leaves[i * 512] >> 12 << 10 | 1;
    return SV39 << 60 | (u64)stage->root >> 12;
}

static inline u64 world(void) /* no thread-local data here: tp is as it was at the start */
{
    u64 value;
    asm volatile("mv %0, tp" : "=r"(value));
    return value;
}

/* Goes on in S mode, or in VS mode. */
static NOINLINE void leave_machine_mode(void)
{
    if (world() == IN_VS) {
        csr_write(hcounteren, 7); /* cycle, time, instret */
        csr_write(hedeleg, USER_CALL);
        csr_write(hgatp, map_as_it_lies(&host, MAPPED | OF_USER));
        csr_set(vsstatus, 1 << 13); /* FS = Initial, as crt0.S has it in mstatus */
        csr_set(mstatus, MPV);
    }
    left_machine_mode = 1;
    to_supervisor();
}

/* Enters the mode that tp selects, if the program is still in M mode. */
static inline void enter_world(void)
{
    if (world() == ITS_OWN_MODE || left_machine_mode) return;
    leave_machine_mode();
    csr_write(satp, map_as_it_lies(&guest, MAPPED));
    asm volatile("sfence.vma" ::: "memory");
}

/* Runs a benchmark, prints its line; the status is 0 if the checksum is right. */
static inline int measure(const char *name, u64 expected, u64 (*run)(void))
{
    enter_world();
    u64 instret = rdinstret(), time = rdtime();
    u64 checksum = run();
    time = rdtime() - time;
    instret = rdinstret() - instret;
    put_string("bench ");
    put_string(name);
    put_string(" checksum ");
    put_number(checksum, 16);
    put_string(" ticks ");
    put_number(time, 10);
    put_string(" instret ");
    put_number(instret, 10);
    put_string("\n");
    return checksum != expected;
}

#endif
