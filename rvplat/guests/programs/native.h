/*
 * What a benchmark needs when it is built for the host, in place of measure.h: build.py includes
 * this file first. The process measures itself by its processor time.
 */
#define MEASURE_H

#include <stdio.h>
#include <time.h>

#include "base.h"

#undef BIG /* the section is the board's */
#define BIG __attribute__((aligned(4096)))

static inline u64 ticks(void) /* of 10 MHz, as mtime of the board */
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 10000000UL + now.tv_nsec / 100;
}

static inline int measure(const char *name, u64 expected, u64 (*run)(void))
{
    u64 time = ticks();
    u64 checksum = run();
    time = ticks() - time;
    printf("bench %s checksum %lx ticks %lu instret 0\n", name, checksum, time);
    return checksum != expected;
}
