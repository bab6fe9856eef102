/* Dot product of vectors of 16-bit integers, with a widening multiply-add and a reduction. */
#include "../vector.h"

#define COUNT 4096
#define ROUNDS 3000

BIG static short a[COUNT], b[COUNT];

static NOINLINE s64 dot(const short *x, const short *y, u64 count)
{
    u64 all = __riscv_vsetvlmax_e32m8();
    vint32m8_t sums = __riscv_vmv_v_x_i32m8(0, all);
    for (u64 n; count; count -= n, x += n, y += n) {
        n = __riscv_vsetvl_e16m4(count);
        vint16m4_t left = __riscv_vle16_v_i16m4(x, n), right = __riscv_vle16_v_i16m4(y, n);
        sums = __riscv_vwmacc_vv_i32m8_tu(sums, left, right, n);
    }
    vint64m1_t zero = __riscv_vmv_s_x_i64m1(0, 1);
    return __riscv_vmv_x_s_i64m1_i64(__riscv_vwredsum_vs_i32m8_i64m1(sums, zero, all));
}

static u64 run(void)
{
    u64 seed = 11, sum = 0;
    for (int i = 0; i < COUNT; i++) {
        a[i] = next_random(&seed) & 0x3ff;
        b[i] = (next_random(&seed) & 0x7ff) - 0x400;
    }
    for (int round = 0; round < ROUNDS; round++) {
        a[round % COUNT] = round & 0x3ff;
        sum = sum * 31 + dot(a, b, COUNT - round % 64);
    }
    return sum;
}

int main(void) { return measure_vectors("vdot", 0x76c989dfaa581ece, run); }
