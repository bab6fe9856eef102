# Start of a guest of the demo hypervisor: VS mode, paging off, the program counter at the start of
# RAM (guest-physical 0x80000000). Turns Sv39 on and goes on at the addresses it is linked for.

        .equ    OFFSET, 0xffffffc000000000      # from guest-physical to guest-virtual

        .section .text.start, "ax"
        .globl  _start
        .cfi_sections .debug_frame
        .cfi_startproc
        .cfi_undefined ra                       # a debugger's backtrace ends here
_start: .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      sp, stack_top
        call    map_memory                      # what to write to satp
        la      t0, 1f
        li      t1, OFFSET
        add     t0, t0, t1
        csrw    satp, a0
        sfence.vma
        jr      t0
1:      .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        la      sp, stack_top
        la      t0, guest_trap_entry
        csrw    stvec, t0
        call    guest_main
        call    shut_down
        .cfi_endproc

        .macro  caller_saved op
        .irp    r, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
        \op     x\r, 8 * \r(sp)
        .endr
        .endm

        .balign 4
guest_trap_entry:
        addi    sp, sp, -256
        caller_saved sd
        csrr    a0, scause
        csrr    a1, sepc
        csrr    a2, stval
        call    guest_trap
        csrw    sepc, a0                        # where to go on
        caller_saved ld
        addi    sp, sp, 256
        sret
