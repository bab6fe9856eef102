/* The state that `hold` keeps in the registers. Offsets are those of struct registers. */
#ifndef REGISTERS_H
#define REGISTERS_H

#define F_OFFSET 0
#define VSTART_OFFSET 256
#define VL_OFFSET 264
#define VTYPE_OFFSET 272
#define VCSR_OFFSET 280
#define FCSR_OFFSET 288
#define V_OFFSET 304
#define VLENB_MOST 128 /* VLEN 1024 */

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct registers {
    uint64_t f[32], vstart, vl, vtype, vcsr, fcsr, unused;
    uint8_t v[32 * VLENB_MOST]; /* only 32 * vlenb bytes of it */
};

_Static_assert(offsetof(struct registers, v) == V_OFFSET && offsetof(struct registers, fcsr) == FCSR_OFFSET, "");

void hold(struct registers *registers, uint64_t turns, volatile int *busy);
void advance(void *v, uint64_t turns, uint64_t factor, uint64_t summand);
#endif
#endif
