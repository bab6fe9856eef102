/* Memory copy with vector loads and stores of bytes, LMUL=8: large blocks and small ones. */
#include "../vector.h"

#define SIZE (512 * 1024)
#define ROUNDS 20

BIG static u8 from[SIZE + 4096], to[SIZE + 4096];

static NOINLINE void copy(u8 *d, const u8 *s, u64 size)
{
    for (u64 n; size; size -= n, d += n, s += n) {
        n = __riscv_vsetvl_e8m8(size);
        __riscv_vse8_v_u8m8(d, __riscv_vle8_v_u8m8(s, n), n);
    }
}

static u64 run(void)
{
    u64 seed = 7, sum = 0;
    for (u64 i = 0; i < SIZE / 8; i++) ((u64 *)from)[i] = next_random(&seed);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < 8; i++) copy(to, from, SIZE);
        for (int i = 0; i < 2000; i++) {
            u64 r = next_random(&seed), size = r >> 20 & 0x1ff;
            copy(to + (r & 0xfff), from + (r >> 40 & 0xfff), size);
        }
        sum = sum * 31 + ((u64 *)to)[round * 4] + to[round];
    }
    return sum;
}

int main(void) { return measure_vectors("vmemcpy", 0x80f5bd384f553fd8, run); }
