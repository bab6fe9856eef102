/* Product of matrices of singles: a row's elements times rows, LMUL=4, four rows at a time. */
#include "../vector.h"

#define N 96
#define ROUNDS 24

BIG static float a[N][N], b[N][N], c[N][N];

static NOINLINE void four_rows(int i)
{
    for (u64 j = 0, n; j < N; j += n) {
        n = __riscv_vsetvl_e32m4(N - j);
        vfloat32m4_t s0 = __riscv_vfmv_v_f_f32m4(0, n), s1 = s0, s2 = s0, s3 = s0;
        for (int k = 0; k < N; k++) {
            vfloat32m4_t row = __riscv_vle32_v_f32m4(&b[k][j], n);
            s0 = __riscv_vfmacc_vf_f32m4(s0, a[i][k], row, n);
            s1 = __riscv_vfmacc_vf_f32m4(s1, a[i + 1][k], row, n);
            s2 = __riscv_vfmacc_vf_f32m4(s2, a[i + 2][k], row, n);
            s3 = __riscv_vfmacc_vf_f32m4(s3, a[i + 3][k], row, n);
        }
        __riscv_vse32_v_f32m4(&c[i][j], s0, n);
        __riscv_vse32_v_f32m4(&c[i + 1][j], s1, n);
        __riscv_vse32_v_f32m4(&c[i + 2][j], s2, n);
        __riscv_vse32_v_f32m4(&c[i + 3][j], s3, n);
    }
}

static u64 run(void)
{
    u64 seed = 13, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i][j] = (float)(next_random(&seed) >> 40) * 0x1p-24f;
            b[i][j] = (float)(next_random(&seed) >> 40) * 0x1p-24f - 0.5f;
        }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i += 4) four_rows(i);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) sum = sum * 31 + *(u32 *)&c[i][j];
        a[round][round] = c[round][0] * 0x1p-6f;
    }
    return sum;
}

int main(void) { return measure_vectors("vmatrix", 0x340ad1dc8fe81911, run); }
