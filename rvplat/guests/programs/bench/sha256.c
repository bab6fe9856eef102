/* SHA-256 (FIPS 180-4) of 64 KiB, each time with the last digest at the start of the data. */
#include "../measure.h"

#define SIZE 65536
#define ROUNDS 180

BIG static u8 data[SIZE + 64];
static u32 constants[64], initial[8]; /* fractions of the cube and square roots of primes */

static u32 rotated(u32 x, int n) { return x >> n | x << (32 - n); }

/* The first 32 bits of the fraction of the square root (n is 2) or cube root of a prime. */
static u32 root_fraction(u64 prime, int n)
{
    u64 x = 0;
    for (u64 bit = 1UL << 36; bit; bit >>= 1) {
        unsigned __int128 y = x | bit;
        if ((n == 2 ? y * y >> 64 : y * y * y >> 96) < prime) x |= bit;
    }
    return x;
}

static void make_constants(void)
{
    int found = 0;
    for (u64 p = 2; found < 64; p++) {
        u64 divisor = 2;
        while (divisor * divisor <= p && p % divisor) divisor++;
        if (divisor * divisor <= p) continue;
        if (found < 8) initial[found] = root_fraction(p, 2);
        constants[found++] = root_fraction(p, 3);
    }
}

static NOINLINE void add_block(u32 *state, const u8 *block)
{
    u32 w[64], a = state[0], b = state[1], c = state[2], d = state[3];
    u32 e = state[4], f = state[5], g = state[6], h = state[7];
    for (int i = 0; i < 16; i++, block += 4)
        w[i] = (u32)block[0] << 24 | block[1] << 16 | block[2] << 8 | block[3];
    for (int i = 16; i < 64; i++) {
        u32 x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + w[i - 7] + (rotated(x, 7) ^ rotated(x, 18) ^ x >> 3)
            + (rotated(y, 17) ^ rotated(y, 19) ^ y >> 10);
    }
    for (int i = 0; i < 64; i++) {
        u32 s = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g))
            + constants[i] + w[i];
        u32 t = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + s, d = c, c = b, b = a, a = s + t;
    }
    state[0] += a, state[1] += b, state[2] += c, state[3] += d;
    state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void hash(u32 *state)
{
    for (int i = 0; i < 8; i++) state[i] = initial[i];
    for (u64 at = 0; at < SIZE + 64; at += 64) add_block(state, data + at);
}

static u64 run(void)
{
    u64 seed = 23;
    u32 state[8];
    make_constants();
    for (int i = 0; i < SIZE; i++) data[i] = next_random(&seed);
    for (int i = 0; i < 64; i++) data[SIZE + i] = 0;
    data[SIZE] = 0x80; /* the padding, with the length in bits at its end */
    for (int i = 0; i < 8; i++) data[SIZE + 63 - i] = (u64)SIZE * 8 >> 8 * i;
    for (int round = 0; round < ROUNDS; round++) {
        hash(state);
        for (int i = 0; i < 32; i++) data[i] = state[i / 4] >> (24 - i % 4 * 8);
    }
    return (u64)state[0] << 32 | state[1];
}

int main(void) { return measure("sha256", 0x198f87ed899f2b7, run); }
