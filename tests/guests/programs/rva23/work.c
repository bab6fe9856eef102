/* Loops and scalar code that a compiler makes vector, bit-manipulation, conditional and half-precision
   instructions of. With -DHOST it is a program that prints the checksums, one a line. */

#include "work.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 333 };

struct data {
    uint8_t bytes[N], other[N];
    uint16_t halves[N];
    uint32_t words[N];
    uint64_t longs[N];
    float singles[N];
    double doubles[N];
    _Float16 small[N];
};

static uint64_t next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 16;
}

static uint64_t mixed(uint64_t sum, uint64_t value) {
    sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
    return sum << 29 | sum >> 35;
}

static void fill(struct data *d, uint64_t seed) {
    for (int i = 0; i < N; i++) {
        uint64_t r = next(&seed);
        d->bytes[i] = r;
        d->halves[i] = r >> 8;
        d->words[i] = r ^ r >> 17;
        d->longs[i] = r * r;
        d->singles[i] = (int32_t)r / 1024.0f;
        d->doubles[i] = (int64_t)(r << 20) / 65536.0;
        d->small[i] = (int16_t)r / 64.0f;
    }
}

/* Zvbb and V: counts, rotations, byte swaps, saturated and widened arithmetic, conditions. */
static uint64_t integers(struct data *d) {
    uint64_t sum = 0, counts[N];
    for (int i = 0; i < N; i++) counts[i] = __builtin_popcountll(d->longs[i]);
    for (int i = 0; i < N; i++) d->words[i] = d->words[i] << 7 | d->words[i] >> 25;
    for (int i = 0; i < N; i++) d->longs[i] = __builtin_bswap64(d->longs[i]) ^ counts[i];
    for (int i = 0; i < N; i++) d->words[i] += (uint32_t)d->halves[i] * d->bytes[i];
    for (int i = 0; i < N; i++) {
        unsigned both = d->bytes[i] + (unsigned)d->halves[i] % 256;
        d->other[i] = both > 255 ? 255 : both;
    }
    for (int i = 0; i < N; i++) {
        if (d->words[i] % 3 == 1) d->longs[i] = d->longs[i] / (d->words[i] | 1u);
    }
    for (int i = 0; i < N; i++) sum += d->longs[i] ^ d->other[i];
    return sum;
}

static uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    return bits;
}

/* V with F and D, Zvfhmin, Zfhmin, and Zfa's rounding and constants. */
static uint64_t floats(struct data *d) {
    uint64_t sum = 0;
    for (int i = 0; i < N; i++) d->singles[i] = d->singles[i] * 0.5f + (float)d->small[i];
    for (int i = 0; i < N; i++) d->doubles[i] = fabs(d->doubles[i]) + d->singles[i];
    for (int i = 0; i < N; i++) d->doubles[i] = sqrt(d->doubles[i]) / 3.0;
    for (int i = 0; i < N; i++) d->small[i] = (_Float16)(d->singles[i] / 2048.0f);
    for (int i = 0; i < N; i += 7) {
        double x = d->doubles[i] * 0.25;
        sum = mixed(sum, bits_of(floor(x)) ^ bits_of(trunc(x) + 2.0) ^ (uint64_t)(int64_t)rint(x));
    }
    for (int i = 0; i < N; i++) sum += (int32_t)d->singles[i] + bits_of(d->doubles[i]);
    for (int i = 0; i < N; i++) sum ^= (uint64_t)(int64_t)((float)d->small[i] * 256) << i % 32;
    return sum;
}

/* Zba, Zbb, Zbs, Zicond, Zcb: scalar code. */
static uint64_t scalars(struct data *d, uint64_t seed) {
    uint64_t x = seed, low = ~(uint64_t)0;
    for (int i = 0; i < N; i++) {
        uint64_t y = d->longs[(x + d->words[i]) % N];
        int64_t a = (int64_t)(x ^ y), b = (int64_t)(y * 3);
        x += (uint64_t)(a < b ? a : b) + (uint64_t)__builtin_clzll(y | 1);
        x ^= (uint64_t)__builtin_ctzll(y | 1ull << 63) << 8 & ~d->longs[i];
        x = y & 1ull << (x & 63) ? x : x << 5 | x >> 59;
        x += (uint64_t)(int64_t)(int8_t)d->bytes[i] * (y >> (i & 63) & 1);
        low = y < low ? y : low;
    }
    return x ^ low;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The C library's string functions, and its sort. */
static uint64_t strings(struct data *d) {
    static _Thread_local char text[2 * N + 8], copy[2 * N + 8];
    memset(text, 0, sizeof text);
    for (int i = 0; i < N; i++) text[i] = (char)('a' + d->bytes[i] % 26);
    memcpy(copy, text, N + 1);
    memmove(copy + 5, copy, N - 9);
    uint64_t sum = strlen(copy) + strlen(text + d->bytes[0]);
    sum = mixed(sum, strcmp(copy, text) < 0);
    sum = mixed(sum, memcmp(copy + 5, text, N - 9) == 0);
    const char *found = strchr(text, 'q');
    sum = mixed(sum, found ? (uint64_t)(found - text) : 1);
    strcat(copy, text);
    sum = mixed(sum, strlen(copy) + strspn(copy, "abcdefghijklm"));
    qsort(d->words, N, sizeof *d->words, by_value);
    for (int i = 0; i < N; i += 16) sum = mixed(sum, d->words[i] ^ (uint8_t)copy[i]);
    return sum;
}

uint64_t work(uint64_t seed) {
    static _Thread_local struct data d;
    fill(&d, seed * 77 + 1);
    uint64_t sum = integers(&d);
    sum = mixed(sum, floats(&d));
    sum = mixed(sum, scalars(&d, seed));
    return mixed(sum, strings(&d));
}

#ifdef HOST
int main(void) {
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        printf("%llx\n", (unsigned long long)work(seed));
}
#endif
