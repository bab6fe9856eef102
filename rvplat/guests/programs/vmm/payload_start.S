# Start of the payload, on the first hart (a1: what to do, a2: an argument) and on those that it
# starts (a1: the argument). Each has 16 KiB of stack, 1 MiB and more above the program.

        .section .text.start, "ax"
        .globl  _start, second_start
_start: mv      t0, a1
        mv      a1, a2
        j       1f
second_start:
        li      t0, 8                   # PAYLOAD_SECOND_HART
1:      .option push
        .option norelax
        la      gp, __global_pointer$
        .option pop
        li      sp, 0x80100000
        addi    t1, a0, 1
        slli    t1, t1, 14
        add     sp, sp, t1
        la      t1, trap_entry
        csrw    stvec, t1
        mv      a2, a1
        mv      a1, t0
        call    payload_main
        li      a7, 0x08727670          # PAYLOAD_CALL, CALL_DONE
        li      a6, 0
        ecall
2:      wfi
        j       2b

        .macro  caller_saved op
        .irp    r, 1, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 28, 29, 30, 31
        \op     x\r, 8 * \r(sp)
        .endr
        .endm

        .balign 4
trap_entry:
        addi    sp, sp, -256
        caller_saved sd
        call    payload_trap
        caller_saved ld
        addi    sp, sp, 256
        sret

# Adds its number to each register, and calls; the host looks at them, and changes them.
        .globl  add_to_registers
        .balign 4096                    # where the host finds it
add_to_registers:
        .irp    r, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, \
                22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        addi    x\r, x\r, \r
        .endr
        ecall
        j       add_to_registers

        .macro  floats op
        .irp    r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, \
                22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        \op     f\r, 8 * \r(a0)
        .endr
        ret
        .endm

# void load_floats(const u64 *), void store_floats(u64 *): all 32 registers
        .globl  load_floats, store_floats
load_floats:
        floats  fld
store_floats:
        floats  fsd
