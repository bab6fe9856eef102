/* What the demo hypervisor's guests share: paging, SBI calls, text, and attempts to break out. */
#ifndef GUEST_H
#define GUEST_H

#include "../base.h"
#include "sbi.h"

#define OFFSET 0xffffffc000000000UL
#define VIRTUAL(guest_physical) ((guest_physical) + OFFSET)
#define RAM 0x80000000UL
#define RAM_PAGES 128
#define UART 0x10000000UL
#define OUTSIDE 0xc0000000UL        /* this guest has no memory there */
#define OUTSIDE_TABLE 0xd0000000UL  /* nor there */
#define BEHIND_TABLE 0xffffffc100000000UL /* an address that OUTSIDE_TABLE would translate */
#define WORK __attribute__((section(".text.work"), used, noinline))
#define TICK_MS 20
#define TICKS_PER_MS 10000UL

enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };
enum { SSI = 1, STI = 5, SEI = 9 };
enum { ILLEGAL_INSTRUCTION = 2, FETCH_ACCESS = 1, LOAD_ACCESS = 5, STORE_ACCESS = 7 };

extern char image_start[], text_end[];
static u64 root[512] __attribute__((aligned(4096))), middle[512] __attribute__((aligned(4096))),
    leaf[512] __attribute__((aligned(4096))), devices[512] __attribute__((aligned(4096)));
static volatile u64 ticks, last_cause, last_value, expected_fault;

static struct sbi_result sbi(u64 extension, u64 function, u64 first, u64 second, u64 third)
{
    register u64 a0 asm("a0") = first, a1 asm("a1") = second, a2 asm("a2") = third;
    register u64 a6 asm("a6") = function, a7 asm("a7") = extension;
    asm volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){a0, a1};
}

__attribute__((noreturn, used)) void shut_down(void)
{
    sbi(SBI_RESET, 0, 0, 0, 0);
    for (;;) { }
}

static void put_char(char c);

static NOINLINE void put_string(const char *s)
{
    while (*s) put_char(*s++);
}

static NOINLINE void put_number(u64 value, u64 base)
{
    char digits[24];
    int n = 0;
    do digits[n++] = "0123456789abcdef"[value % base]; while (value /= base);
    while (n) put_char(digits[--n]);
}

#include "../print.h"

static u64 entry(u64 guest_physical, u64 flags) { return guest_physical >> 12 << 10 | flags; }

/* The guest's own page table, Sv39. Runs with paging off, so all addresses are physical. */
__attribute__((used)) u64 map_memory(void)
{
    u64 text_pages = (u64)(text_end - image_start) >> 12;
    for (u64 i = 0; i < RAM_PAGES; i++) {
        leaf[i] = entry(RAM + (i << 12), i < text_pages ? V | R | X | A : V | R | W | A | D);
    }
    middle[0] = entry((u64)leaf, V);
    devices[UART >> 21 & 511] = entry(UART, V | R | W | A | D);
    root[RAM >> 30] = entry(RAM, V | R | W | X | A | D); /* as it is, until guest_main */
    root[VIRTUAL(RAM) >> 30 & 511] = entry((u64)middle, V);
    root[VIRTUAL(UART) >> 30 & 511] = entry((u64)devices, V);
    root[VIRTUAL(OUTSIDE) >> 30 & 511] = entry(OUTSIDE, V | R | W | X | A | D);
    root[BEHIND_TABLE >> 30 & 511] = entry(OUTSIDE_TABLE, V);
    return 8UL << 60 | (u64)root >> 12;
}

/* What both guests begin with. `sources` are the interrupts to take. */
static void guest_begin(u64 sources)
{
    root[RAM >> 30] = 0;
    asm volatile("sfence.vma" ::: "memory");
    csr_write(sie, sources);
    csr_set(sstatus, 2); /* SIE */
}

static u64 rdtime(void) { return csr_read(time); }
static u64 next_tick(void) { return rdtime() + TICK_MS * TICKS_PER_MS; }

/* Sleeps until `*flag` is at least `count`. */
static inline void wait_for(volatile u64 *flag, u64 count)
{
    while (*flag < count) {
        csr_clear(sstatus, 2);
        if (*flag < count) asm volatile("wfi");
        csr_set(sstatus, 2);
    }
}

/* Takes an exception: only one that was provoked, by an instruction of four bytes or by a call. */
static u64 take_exception(u64 cause, u64 pc, u64 value)
{
    if (cause != expected_fault) {
        print("unexpected trap: cause %d pc %x value %x\n", cause, pc, value);
        shut_down();
    }
    last_cause = cause;
    last_value = value;
    expected_fault = 0;
    return pc + 4;
}

#define PROVOKE(cause, instruction, ...)                                                          \
    ({                                                                                            \
        expected_fault = (cause);                                                                 \
        asm volatile(".option push\n.option norvc\n" instruction "\n.option pop" ::__VA_ARGS__     \
                     : "memory");                                                                 \
    })

#endif
