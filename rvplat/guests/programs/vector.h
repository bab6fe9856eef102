/* What a benchmark with vector instructions needs: V enabled in its mode, and the intrinsics. */
#ifndef VECTOR_H
#define VECTOR_H

#include "measure.h"
#include <riscv_vector.h>

#define VS_INITIAL (1 << 9) /* mstatus.VS, vsstatus.VS */

/* As `measure`, with vector instructions enabled. */
static inline int measure_vectors(const char *name, u64 expected, u64 (*run)(void))
{
    csr_set(mstatus, VS_INITIAL);
    if (world() == IN_VS) csr_set(vsstatus, VS_INITIAL);
    return measure(name, expected, run);
}

#endif
