# The demo guest's two trap handlers. The RISC-V Instruction Set Manual, Volume II.
#
# Machine mode is as small a firmware as there can be. It knows one call, ecall from S mode: wake
# me at the time in a0. The timer's interrupt arrives in M mode, which passes it on as the
# supervisor's timer interrupt (mip.STIP).

        .globl  machine_trap, supervisor_trap
        .text
        .balign 4
machine_trap:
        csrrw   sp, mscratch, sp
        addi    sp, sp, -16
        sd      t0, 0(sp)
        sd      t1, 8(sp)
        csrr    t0, mcause
        bltz    t0, 1f
        addi    t1, t0, -9              # environment call from S mode; all else is delegated
        bnez    t1, 3f
        ld      t0, mtimecmp            # where the timer's comparator lies
        sd      a0, 0(t0)
        li      t0, 1 << 5              # mip.STIP: that alarm is over
        csrc    mip, t0
        li      t0, 1 << 7              # mie.MTIE
        csrs    mie, t0
        csrr    t0, mepc
        addi    t0, t0, 4
        csrw    mepc, t0
        j       2f
1:      li      t0, 1 << 7              # the alarm: S mode's business from here on
        csrc    mie, t0
        li      t0, 1 << 5
        csrs    mip, t0
2:      ld      t0, 0(sp)
        ld      t1, 8(sp)
        addi    sp, sp, 16
        csrrw   sp, mscratch, sp
        mret
3:      csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        call    unexpected_trap

        .macro  caller_saved op
        .irp    r, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
        \op     x\r, 8 * \r(sp)
        .endr
        .endm

        .balign 4
supervisor_trap:
        addi    sp, sp, -256
        caller_saved sd
        csrr    a0, scause
        csrr    a1, sepc
        csrr    a2, stval
        call    take_trap
        csrw    sepc, a0                # where to go on
        caller_saved ld
        addi    sp, sp, 256
        sret
