/* Quicksort of 100,000 numbers, with insertion sort for short ranges. */
#include "../measure.h"

#define N 100000
#define ROUNDS 85

BIG static u32 values[N];

static void insertion_sort(u32 *low, u32 *high)
{
    for (u32 *p = low + 1; p <= high; p++) {
        u32 value = *p, *q = p;
        for (; q > low && q[-1] > value; q--) *q = q[-1];
        *q = value;
    }
}

static NOINLINE void quick_sort(u32 *low, u32 *high)
{
    while (high - low > 12) {
        u32 pivot = low[(high - low) / 2], *i = low, *j = high;
        while (i <= j) {
            while (*i < pivot) i++;
            while (*j > pivot) j--;
            if (i <= j) {
                u32 t = *i;
                *i++ = *j;
                *j-- = t;
            }
        }
        quick_sort(low, j);
        low = i;
    }
    insertion_sort(low, high);
}

static u64 run(void)
{
    u64 seed = 11, sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < N; i++) values[i] = next_random(&seed);
        quick_sort(values, values + N - 1);
        for (int i = 1; i < N; i++) sum += values[i] < values[i - 1];
        sum = sum * 31 + values[round * 100];
    }
    return sum;
}

int main(void) { return measure("sort", 0x300b56aa0671692, run); }
