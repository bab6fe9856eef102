/* What a bare-metal program on the `virt` board needs: UART output, counters, power-off. */
#ifndef LIB_H
#define LIB_H

#include "base.h"

#ifndef UART_BASE
#define UART_BASE 0x10000000UL /* 16550: THR 0, LSR 5, LSR.THRE 0x20 */
#define TEST_BASE 0x00100000UL /* sifive,test1: 0x5555 passes, 0x3333 | code << 16 fails */
#endif

void to_supervisor(void);
void to_user(void);

static inline u64 rdtime(void) { return csr_read(time); }
static inline u64 rdinstret(void) { return csr_read(instret); }

static NOINLINE void put_char(char c)
{
    while ((REG(u8, UART_BASE + 5) & 0x20) == 0) { }
    REG(u8, UART_BASE) = c;
}

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

__attribute__((noreturn, used)) static NOINLINE void power_off_with(u32 code)
{
    REG(u32, TEST_BASE) = code ? code << 16 | 0x3333 : 0x5555;
    for (;;) { }
}

__attribute__((noreturn)) void power_off(u32 code) { power_off_with(code); }

__attribute__((noreturn)) void unexpected_trap(u64 cause, u64 pc, u64 value)
{
    put_string("unexpected trap: cause ");
    put_number(cause, 16);
    put_string(" pc ");
    put_number(pc, 16);
    put_string(" value ");
    put_number(value, 16);
    put_string("\n");
    power_off_with(2);
}

/* The compiler may call these two. */
__attribute__((no_builtin)) void *memset(void *to, int value, u64 size)
{
    for (u8 *p = to; size; size--) *p++ = value;
    return to;
}

__attribute__((no_builtin)) void *memcpy(void *to, const void *from, u64 size)
{
    u8 *d = to;
    const u8 *s = from;
    for (; size; size--) *d++ = *s++;
    return to;
}

#endif
