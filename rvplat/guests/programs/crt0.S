# Start of a bare-metal program: hart 0 in M mode gets a stack, cleared .bss, floating point and a
# trap handler, and calls main(hart, device_tree). What main returns is the machine's exit status.
# Other harts sleep. The RISC-V Instruction Set Manual, Volume II: Machine-Level ISA.

        .section .text.start, "ax"
        .globl  _start
        .cfi_sections .debug_frame
        .cfi_startproc
        .cfi_undefined ra               # a debugger's backtrace ends here
_start: csrr    t0, mhartid
        bnez    t0, park
        .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      sp, stack_top
        la      t0, bss_start
        la      t1, bss_end
1:      bgeu    t0, t1, 2f
        sd      zero, 0(t0)
        addi    t0, t0, 8
        j       1b
2:      la      t0, unexpected_trap_entry
        csrw    mtvec, t0
        li      t0, 1 << 13             # mstatus.FS = Initial
        csrs    mstatus, t0
        csrw    fcsr, zero
        call    main
        call    power_off
        .cfi_endproc

park:   wfi
        j       park

        .balign 4                       # mtvec holds a multiple of four
unexpected_trap_entry:
        csrr    a0, mcause
        csrr    a1, mepc
        csrr    a2, mtval
        la      sp, stack_top
        call    unexpected_trap

# void to_supervisor(void): returns to its caller in S mode, with all memory open and the counters
# readable.
        .globl  to_supervisor
to_supervisor:
        li      t0, -1
        csrw    pmpaddr0, t0
        li      t0, 0x1f                # one NAPOT region over everything, read, write, execute
        csrw    pmpcfg0, t0
        li      t0, 7                   # cycle, time, instret
        csrw    mcounteren, t0
        csrw    scounteren, t0
        li      t0, 3 << 11             # mstatus.MPP = S
        csrc    mstatus, t0
        li      t0, 1 << 11
        csrs    mstatus, t0
        csrw    mepc, ra
        mret

# void to_user(void): returns to its caller in U mode.
        .globl  to_user
to_user:
        li      t0, 1 << 8              # sstatus.SPP = U
        csrc    sstatus, t0
        csrw    sepc, ra
        sret
