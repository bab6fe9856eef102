/* CRC-32 (IEEE 802.3) by a table, and a bit at a time. */
#include "../measure.h"

#define SIZE 65536
#define ROUNDS 2400

BIG static u8 data[SIZE];
static u32 table[256];

static u32 bits(u32 crc, int n)
{
    for (; n; n--) crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
    return crc;
}

static NOINLINE u32 by_table(u32 crc, const u8 *p, u64 size)
{
    for (; size; size--) crc = table[(crc ^ *p++) & 0xff] ^ crc >> 8;
    return crc;
}

static NOINLINE u32 by_bit(u32 crc, const u8 *p, u64 size)
{
    for (; size; size--) crc = bits(crc ^ *p++, 8);
    return crc;
}

static u64 run(void)
{
    u64 seed = 3;
    u32 crc = ~0;
    for (int i = 0; i < 256; i++) table[i] = bits(i, 8);
    for (int i = 0; i < SIZE; i++) data[i] = next_random(&seed);
    for (int round = 0; round < ROUNDS; round++) {
        crc = by_table(crc, data, SIZE);
        crc = by_bit(crc, data, 1024);
    }
    return (u32)~crc;
}

int main(void) { return measure("crc32", 0xfee72c7b, run); }
