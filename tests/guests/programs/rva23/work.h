/* Work of which a compiler makes instructions of rva23u64, and its checksum. */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

enum { SEEDS = 8 };

/* The same on every machine with IEEE 754 arithmetic. */
uint64_t work(uint64_t seed);

#endif
