/*
 * SHA-256 (FIPS 180-4) with Zvknha's instructions, of 64 KiB, each time with the last digest at the
 * start of the data. The checksum is that of sha256.c after as many rounds.
 */
#include "../vector.h"

#define SIZE 65536
#define ROUNDS 100

BIG static u8 data[SIZE + 64];
static u32 constants[64], initial[8]; /* fractions of the cube and square roots of primes */

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

/* Four rounds with the words w, and the words of 16 rounds later. From the highest, abef has the
   variables a, b, e, f; cdgh has the others. w0, w4, w8 and w12 hold 16 words of the schedule. */
#define ROUNDS_OF_FOUR(w, at) do { \
        vuint32m1_t sum_ = __riscv_vadd_vv_u32m1(w, __riscv_vle32_v_u32m1(constants + (at), 4), 4); \
        cdgh = __riscv_vsha2cl_vv_u32m1(cdgh, abef, sum_, 4); \
        abef = __riscv_vsha2ch_vv_u32m1(abef, cdgh, sum_, 4); \
    } while (0)
#define NEXT_WORDS(w0, w4, w8, w12) do { \
        vuint32m1_t mixed_ = __riscv_vmerge_vvm_u32m1(w8, w4, first, 4); \
        w0 = __riscv_vsha2ms_vv_u32m1(w0, mixed_, w12, 4); \
    } while (0)

static vuint32m1_t words(const u8 *at)
{
    return __riscv_vrev8_v_u32m1(__riscv_vle32_v_u32m1((const u32 *)at, 4), 4);
}

static NOINLINE void hash(u32 *state)
{
    vbool32_t first = __riscv_vmseq_vx_u32m1_b32(__riscv_vid_v_u32m1(4), 0, 4);
    vuint32m1_t abef, cdgh;
    u32 order[8] = {initial[5], initial[4], initial[1], initial[0],
                    initial[7], initial[6], initial[3], initial[2]};
    abef = __riscv_vle32_v_u32m1(order, 4);
    cdgh = __riscv_vle32_v_u32m1(order + 4, 4);
    for (u64 at = 0; at < SIZE + 64; at += 64) {
        vuint32m1_t abef_before = abef, cdgh_before = cdgh;
        vuint32m1_t w0 = words(data + at), w4 = words(data + at + 16);
        vuint32m1_t w8 = words(data + at + 32), w12 = words(data + at + 48);
        for (int i = 0; i < 48; i += 16) {
            ROUNDS_OF_FOUR(w0, i);
            NEXT_WORDS(w0, w4, w8, w12);
            ROUNDS_OF_FOUR(w4, i + 4);
            NEXT_WORDS(w4, w8, w12, w0);
            ROUNDS_OF_FOUR(w8, i + 8);
            NEXT_WORDS(w8, w12, w0, w4);
            ROUNDS_OF_FOUR(w12, i + 12);
            NEXT_WORDS(w12, w0, w4, w8);
        }
        ROUNDS_OF_FOUR(w0, 48);
        ROUNDS_OF_FOUR(w4, 52);
        ROUNDS_OF_FOUR(w8, 56);
        ROUNDS_OF_FOUR(w12, 60);
        abef = __riscv_vadd_vv_u32m1(abef, abef_before, 4);
        cdgh = __riscv_vadd_vv_u32m1(cdgh, cdgh_before, 4);
    }
    __riscv_vse32_v_u32m1(order, abef, 4);
    __riscv_vse32_v_u32m1(order + 4, cdgh, 4);
    u32 found[8] = {order[3], order[2], order[7], order[6], order[1], order[0], order[5], order[4]};
    for (int i = 0; i < 8; i++) state[i] = found[i];
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

int main(void) { return measure_vectors("vsha256", 0xfea4003f59d121ec, run); }
