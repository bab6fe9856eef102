/*
 * A guest of the demo hypervisor. It calculates Fibonacci numbers, sets its timer by its own
 * stimecmp (which is vstimecmp), and prints through a UART that isn't there, by interrupts.
 */
#include "guest.h"

#define ROUNDS 4
#define LAST 90

enum { THR = 0, IER = 1, IER_EMPTY = 2 };

static volatile char text[1024];
static volatile u32 text_in, text_out;

WORK u64 guest_fibonacci(u64 n)
{
    u64 a = 0, b = 1;
    for (; n; n--) {
        u64 sum = a + b;
        a = b;
        b = sum;
    }
    return a;
}

/* Text waits until the UART says that it can be sent. */
static void put_char(char c)
{
    text[text_in++ % sizeof text] = c;
    if (c == '\n') REG(u8, VIRTUAL(UART) + IER) = IER_EMPTY;
}

static void send_waiting(void)
{
    if (text_out != text_in) REG(u8, VIRTUAL(UART) + THR) = text[text_out++ % sizeof text];
    if (text_out == text_in) REG(u8, VIRTUAL(UART) + IER) = 0;
}

__attribute__((used)) u64 guest_trap(u64 cause, u64 pc, u64 value)
{
    if ((s64)cause >= 0) return take_exception(cause, pc, value);
    if ((cause << 1 >> 1) == SEI) {
        send_waiting();
    } else {
        ticks++;
        csr_write(stimecmp, next_tick());
    }
    return pc;
}

__attribute__((used)) void guest_main(void)
{
    guest_begin(1UL << STI | 1UL << SEI);
    print("guest_fibonacci is at %x, as guest_sort is\n", (u64)guest_fibonacci);
    csr_write(stimecmp, next_tick());
    u64 calculated = 0, result = 0;
    for (u64 round = 1; round <= ROUNDS; round++) {
        while (ticks < 2 * round) result = guest_fibonacci(LAST), calculated++;
        print("fibonacci(%d) is %d; tick %d\n", (u64)LAST, result, ticks);
    }
    print("calculated more than once: %s\n", calculated > ROUNDS ? "yes" : "no");
    sbi(SBI_MESSAGE, MESSAGE_SEND, result, 0, 0);
    while (text_out != text_in) asm volatile("wfi");
}
