/* strlen with fault-only-first loads, of strings of many lengths. */
#include "../vector.h"

#define SIZE 65536
#define ROUNDS 150

BIG static u8 text[SIZE];

static NOINLINE u64 length(const u8 *s)
{
    const u8 *at = s;
    for (;;) {
        u64 n, all = __riscv_vsetvlmax_e8m4();
        vuint8m4_t part = __riscv_vle8ff_v_u8m4(at, &n, all);
        long found = __riscv_vfirst_m_b2(__riscv_vmseq_vx_u8m4_b2(part, 0, n), n);
        if (found >= 0) return at - s + found;
        at += n;
    }
}

static u64 run(void)
{
    u64 seed = 17, sum = 0;
    for (u64 i = 0, end = 5; i < SIZE; i++) {
        text[i] = 'a' + i % 26;
        if (i != end && i != SIZE - 1) continue;
        text[i] = 0;
        end = i + 1 + (next_random(&seed) & (i & 3 ? 0x3f : 0x7ff));
    }
    for (int round = 0; round < ROUNDS; round++)
        for (u64 i = 0, n; i < SIZE; i += n + 1) {
            n = length(text + i);
            sum = sum * 31 + n;
        }
    return sum;
}

int main(void) { return measure_vectors("vstrlen", 0x57e990c6b6ca4760, run); }
