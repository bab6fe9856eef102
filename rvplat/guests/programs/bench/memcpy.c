/*
 * Memory copy of blocks of many sizes: by words if both sides have the same alignment, otherwise by
 * bytes.
 */
#include "../measure.h"

#define SIZE (512 * 1024)
#define ROUNDS 200

BIG static u8 from[SIZE], to[SIZE];

static NOINLINE void copy(u8 *d, const u8 *s, u64 size)
{
    if ((((u64)d ^ (u64)s) & 7) == 0) {
        for (; size && ((u64)d & 7); size--) *d++ = *s++;
        for (; size >= 64; size -= 64, d += 64, s += 64) {
            const u64 *a = (const u64 *)s;
            u64 *b = (u64 *)d;
            u64 w0 = a[0], w1 = a[1], w2 = a[2], w3 = a[3];
            u64 w4 = a[4], w5 = a[5], w6 = a[6], w7 = a[7];
            b[0] = w0, b[1] = w1, b[2] = w2, b[3] = w3;
            b[4] = w4, b[5] = w5, b[6] = w6, b[7] = w7;
        }
        for (; size >= 8; size -= 8, d += 8, s += 8) *(u64 *)d = *(const u64 *)s;
    }
    for (; size; size--) {
        *d++ = *s++;
        asm volatile("" ::: "memory"); /* keeps it a loop of bytes */
    }
}

static u64 run(void)
{
    u64 seed = 7, sum = 0;
    for (u64 i = 0; i < SIZE / 8; i++) ((u64 *)from)[i] = next_random(&seed);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 30; i++) copy(to, from, SIZE);
        for (int i = 0; i < 2000; i++) {
            u64 r = next_random(&seed), size = r >> 20 & 0x1ff;
            copy(to + (r & 0xfff), from + (r >> 40 & 0xfff) + (r & 7), size);
        }
        sum = sum * 31 + ((u64 *)to)[round * 4] + to[round];
    }
    return sum;
}

int main(void) { return measure("memcpy", 0xd113fde4f63d89de, run); }
