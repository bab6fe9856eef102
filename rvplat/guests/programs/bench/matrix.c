/* Product of integer matrices, 96 x 96, 32-bit times 32-bit into 64. */
#include "../measure.h"

#define N 96
#define ROUNDS 360

static s32 a[N][N], b[N][N];
static s64 c[N][N];

static NOINLINE void multiply(void)
{
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            s64 sum = 0;
            for (int k = 0; k < N; k++) sum += (s64)a[i][k] * b[k][j];
            c[i][j] = sum;
        }
    }
}

static u64 run(void)
{
    u64 seed = 5, sum = 0;
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) a[i][j] = next_random(&seed), b[i][j] = next_random(&seed);
    }
    for (int round = 0; round < ROUNDS; round++) {
        multiply();
        for (int i = 0; i < N; i++) {
            sum = sum * 31 + c[i][(i + round) % N];
            a[i][round % N] ^= c[i][i];
        }
    }
    return sum;
}

int main(void) { return measure("matrix", 0xddb82b15e3d1f008, run); }
