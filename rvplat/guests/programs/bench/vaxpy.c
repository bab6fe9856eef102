/* y += a * x in doubles, where x is positive: masks, and a masked multiply-add, load and store. */
#include "../vector.h"

#define COUNT 4096
#define ROUNDS 800

BIG static double x[COUNT], y[COUNT];

static NOINLINE void axpy(double a, const double *s, double *d, u64 count)
{
    for (u64 n; count; count -= n, s += n, d += n) {
        n = __riscv_vsetvl_e64m4(count);
        vfloat64m4_t right = __riscv_vle64_v_f64m4(s, n);
        vbool16_t wanted = __riscv_vmfgt_vf_f64m4_b16(right, 0, n);
        vfloat64m4_t left = __riscv_vle64_v_f64m4_m(wanted, d, n);
        left = __riscv_vfmacc_vf_f64m4_m(wanted, left, a, right, n);
        __riscv_vse64_v_f64m4_m(wanted, d, left, n);
    }
}

static u64 run(void)
{
    u64 seed = 19, sum = 0;
    for (int i = 0; i < COUNT; i++) {
        x[i] = (double)(s64)next_random(&seed) * 0x1p-63;
        y[i] = (double)(s64)next_random(&seed) * 0x1p-63;
    }
    for (int round = 0; round < ROUNDS; round++) {
        axpy(0.25 + round * 0x1p-10, x, y, COUNT - round % 16);
        x[round * 5 % COUNT] = -x[round * 5 % COUNT];
        sum = sum * 31 + ((u64 *)y)[round * 7 % COUNT];
    }
    for (int i = 0; i < COUNT; i++) sum = sum * 31 + ((u64 *)y)[i];
    return sum;
}

int main(void) { return measure_vectors("vaxpy", 0x95a3a9f304d82581, run); }
