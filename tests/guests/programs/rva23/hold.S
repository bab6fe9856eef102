/* hold(registers, turns, busy) keeps a state in all vector and floating-point registers while it counts
   down, with no call of the kernel: preemption and signals must not change it. `registers` is a
   struct registers (registers.h). *busy is 1 while the state is in place.

   advance(v, turns, factor, summand, busy) computes v[i] = v[i] * factor + summand that often, for
   the 64-bit elements of v0 to v31, in the registers. */

#include "registers.h"

.macro each_f op, base
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \op f\n, F_OFFSET + 8 * \n(\base)
    .endr
.endm

.macro all_vectors op, base
    csrr t2, vlenb
    slli t2, t2, 3
    .irp n, 0,8,16,24
    \op v\n, (\base)
    add \base, \base, t2
    .endr
.endm

    .text
    .globl hold
    .type hold, @function
hold:
    addi sp, sp, -96                /* fs0 to fs11 are the caller's */
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    fsd fs\n, 8 * \n(sp)
    .endr
    each_f fld, a0
    addi t0, a0, V_OFFSET
    all_vectors vl8re8.v, t0
    ld t0, VL_OFFSET(a0)
    ld t1, VTYPE_OFFSET(a0)
    vsetvl t3, t0, t1
    sd t3, VL_OFFSET(a0)
    ld t0, VCSR_OFFSET(a0)
    csrw vcsr, t0
    ld t0, FCSR_OFFSET(a0)
    fscsr t0
    ld t0, VSTART_OFFSET(a0)
    csrw vstart, t0
    li t0, 1
    sw t0, (a2)
1:  addi a1, a1, -1
    bnez a1, 1b
    sw zero, (a2)
    csrr t0, vstart
    sd t0, VSTART_OFFSET(a0)
    csrr t0, vl
    sd t0, VL_OFFSET(a0)
    csrr t0, vtype
    sd t0, VTYPE_OFFSET(a0)
    csrr t0, vcsr
    sd t0, VCSR_OFFSET(a0)
    frcsr t0
    sd t0, FCSR_OFFSET(a0)
    csrw vstart, zero
    addi t0, a0, V_OFFSET
    all_vectors vs8r.v, t0
    each_f fsd, a0
    fscsr zero
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11
    fld fs\n, 8 * \n(sp)
    .endr
    addi sp, sp, 96
    ret

    .globl advance
    .type advance, @function
advance:
    mv t0, a0
    all_vectors vl8re8.v, t0
    vsetvli t1, zero, e64, m8, ta, ma
1:  .irp n, 0,8,16,24
    vmul.vx v\n, v\n, a2
    vadd.vx v\n, v\n, a3
    .endr
    addi a1, a1, -1
    bnez a1, 1b
    all_vectors vs8r.v, a0
    ret

    .globl signal_entry
    .type signal_entry, @function
signal_entry:
    csrw vstart, zero               /* the calling convention asks for it */
    tail on_signal
