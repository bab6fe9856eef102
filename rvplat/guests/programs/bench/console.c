/*
 * Console output, a character at a time, as drivers of a 16550 UART write it.
 */
#include "../measure.h"

#define LINES 4000
#define LSR 5
#define THRE 0x20
#define UART ((volatile u8 *)0x10000000)

static void send(u8 character)
{
    while (!(UART[LSR] & THRE)) {}
    UART[0] = character;
}

static u64 run(void)
{
    u64 sum = 0;
    for (u64 line = 0; line < LINES; line++) {
        for (u64 i = 0; i < 63; i++) {
            u8 character = 'a' + (line + i) % 26;
            send(character);
            sum = sum * 31 + character;
        }
        send('\n');
    }
    return sum;
}

int main(void) { return measure("console", 0x97167efde8f8cd50, run); }
