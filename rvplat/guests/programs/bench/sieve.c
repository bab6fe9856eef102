/* The sieve of Eratosthenes over a million numbers, a byte each. */
#include "../measure.h"

#define LIMIT 1000000
#define ROUNDS 100

BIG static u8 composite[LIMIT];

static u64 run(void)
{
    u64 sum = 0;
    for (int round = 0; round < ROUNDS; round++) {
        for (u64 i = 0; i < LIMIT; i++) composite[i] = 0;
        for (u64 i = 2; i < LIMIT; i++) {
            if (composite[i]) continue;
            sum += i ^ round;
            for (u64 j = i * i; j < LIMIT; j += i) composite[j] = 1;
        }
    }
    return sum;
}

int main(void) { return measure("sieve", 0x36a499b14ac, run); }
