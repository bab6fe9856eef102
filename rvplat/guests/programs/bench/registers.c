/*
 * Reads of device registers: the UART's line status, scratch and enables, and the PLIC's threshold.
 */
#include "../measure.h"

#define READS 400000
#define SCR 7
#define IER 1
#define LSR 5
#define UART ((volatile u8 *)0x10000000)
#define THRESHOLD ((volatile u32 *)0x0c200000)

static u64 run(void)
{
    u64 sum = 0;
    UART[SCR] = 0x5a;
    for (u64 i = 0; i < READS; i++) sum = sum * 3 + UART[LSR] + UART[SCR];
    for (u64 i = 0; i < READS; i++) sum = sum * 5 + UART[IER] + UART[LSR];
    for (u64 i = 0; i < READS; i++) sum = sum * 7 + *THRESHOLD;
    return sum;
}

int main(void) { return measure("registers", 0x5a9978ed44530a00, run); }
