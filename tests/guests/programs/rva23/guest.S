/* What a virtual CPU of kvm_vectors.c runs. a0: an address where nothing is; a1: turns; a2, a3: the
   factor and the summand; a4 to a6: the vl, vtype and vcsr to leave. sstatus.VS is Off outside the
   computation. */

    .section .rodata
    .balign 8
    .globl guest_start, guest_end
guest_start:
    li t0, 3 << 9                   /* sstatus.VS: Dirty */
    csrs sstatus, t0
    mv t1, a1
    vsetvli t2, zero, e64, m8, ta, ma
1:  .irp n, 0,8,16,24
    vmul.vx v\n, v\n, a2
    vadd.vx v\n, v\n, a3
    .endr
    addi t1, t1, -1
    bnez t1, 1b
    vsetvl t2, a4, a5
    csrw vcsr, a6
    csrc sstatus, t0
    sw zero, (a0)                   /* to the VMM */
    j guest_start
guest_end:
