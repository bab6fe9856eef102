/*
 * A guest of the demo hypervisor. It sorts numbers, sets its timer and prints by SBI calls, takes
 * a message from the other guest, and then tries what it has no right to.
 */
#include "guest.h"

#define ROUNDS 3
#define COUNT 3000

static u32 numbers[COUNT];
static volatile u64 messages, message;
static char line[160];
static u64 line_size;

WORK void guest_sort(u32 *first, u32 *last)
{
    while (first < last) {
        u32 pivot = first[(last - first) / 2], *low = first, *high = last;
        while (low <= high) {
            while (*low < pivot) low++;
            while (*high > pivot) high--;
            if (low > high) break;
            u32 kept = *low;
            *low++ = *high;
            *high-- = kept;
        }
        guest_sort(first, high);
        first = low;
    }
}

/* Lines go to the debug console, by guest-physical address. */
static void put_char(char c)
{
    line[line_size++] = c;
    if (c != '\n' && line_size < sizeof line) return;
    sbi(SBI_CONSOLE, CONSOLE_WRITE, line_size, (u64)line - OFFSET, 0);
    line_size = 0;
}

__attribute__((used)) u64 guest_trap(u64 cause, u64 pc, u64 value)
{
    if ((s64)cause >= 0) return take_exception(cause, pc, value);
    if ((cause << 1 >> 1) == SSI) {
        csr_clear(sip, 1UL << SSI);
        message = sbi(SBI_MESSAGE, MESSAGE_RECEIVE, 0, 0, 0).value;
        messages++;
    } else {
        ticks++;
        sbi(SBI_TIME, 0, next_tick(), 0, 0);
    }
    return pc;
}

static int sorted(void)
{
    for (u64 i = 1; i < COUNT; i++) {
        if (numbers[i - 1] > numbers[i]) return 0;
    }
    return 1;
}

/* Each of these is refused; only the last ends the guest. */
static void misbehave(void)
{
    PROVOKE(ILLEGAL_INSTRUCTION, "csrr t0, hgatp", "r"(0));
    print("reading hgatp: cause %d\n", last_cause);
    PROVOKE(LOAD_ACCESS, "ld t0, 0(%0)", "r"(VIRTUAL(OUTSIDE) + 0x128));
    print("a load from outside: cause %d, stval %x\n", last_cause, last_value);
    PROVOKE(STORE_ACCESS, "sw zero, 0(%0)", "r"(VIRTUAL(OUTSIDE) + 0x2004));
    print("a store to outside: cause %d, stval %x\n", last_cause, last_value);
    PROVOKE(LOAD_ACCESS, "lb t0, 0(%0)", "r"(BEHIND_TABLE + 0x3008));
    print("a load behind a page table outside: cause %d, stval %x\n", last_cause, last_value);
    ((void (*)(void))(VIRTUAL(OUTSIDE) + 0x4000))();
}

__attribute__((used)) void guest_main(void)
{
    u64 seed = 88172645463325252;
    guest_begin(1UL << SSI | 1UL << STI);
    print("guest_sort is at %x, as guest_fibonacci is\n", (u64)guest_sort);
    sbi(SBI_TIME, 0, next_tick(), 0, 0);
    for (u64 round = 1; round <= ROUNDS; round++) {
        wait_for(&ticks, round);
        for (u64 i = 0; i < COUNT; i++) numbers[i] = next_random(&seed) >> 40;
        guest_sort(numbers, numbers + COUNT - 1);
        const char *what = sorted() ? "sorted" : "NOT sorted";
        print("%d numbers are %s; tick %d\n", (u64)COUNT, what, ticks);
    }
    csr_clear(sie, 1UL << STI);
    wait_for(&messages, 1);
    print("message from the other guest: %d\n", message);
    misbehave();
    print("still alive\n");
}
