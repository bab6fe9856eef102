# The way into a guest and out of it, and the guests themselves. The RISC-V Instruction Set Manual,
# Volume II: Hypervisor Extension. The offsets are those of struct guest (guests.h).

        .equ    PC, 256
        .equ    SSTATUS, 264
        .equ    HSTATUS, 272
        .equ    HOST_SP, 280

        .macro  host_registers op       # what a C function must keep, and gp and tp
        .irp    r, 1, 3, 4, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27
        \op     x\r, 8 * \r(sp)
        .endr
        .endm

        .macro  guest_registers op      # all but a0, which holds the guest's record
        .irp    r, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, \
                24, 25, 26, 27, 28, 29, 30, 31
        \op     x\r, 8 * \r(a0)
        .endr
        .endm

# void run_guest(struct guest *): the guest runs until it traps to the hypervisor.
        .text
        .globl  run_guest, trap_from_guest
run_guest:
        addi    sp, sp, -256
        host_registers sd
        sd      sp, HOST_SP(a0)
        csrw    sscratch, a0
        la      t0, trap_from_guest
        csrw    stvec, t0
        ld      t0, PC(a0)
        csrw    sepc, t0
        ld      t0, SSTATUS(a0)         # SPP: the guest's privilege
        csrw    sstatus, t0
        ld      t0, HSTATUS(a0)         # SPV: sret goes to V=1
        csrw    hstatus, t0
        guest_registers ld
        ld      a0, 80(a0)
        sret

        .balign 4
trap_from_guest:
        csrrw   a0, sscratch, a0
        guest_registers sd
        csrr    t0, sscratch
        sd      t0, 80(a0)
        csrr    t0, sepc
        sd      t0, PC(a0)
        csrr    t0, sstatus
        sd      t0, SSTATUS(a0)
        csrr    t0, hstatus
        sd      t0, HSTATUS(a0)
        la      t0, host_trap
        csrw    stvec, t0
        ld      sp, HOST_SP(a0)
        host_registers ld
        addi    sp, sp, 256
        ret

        .globl  host_trap
        .balign 4
host_trap:                              # the hypervisor itself never traps
        csrr    a0, scause
        csrr    a1, sepc
        csrr    a2, stval
        la      sp, stack_top
        call    unexpected_trap

# void allow_state(void): opens to lower modes what mstateen0 guards, where there is an mstateen0.
        .globl  allow_state
allow_state:
        la      t0, 1f
        csrrw   t0, mtvec, t0
        li      t1, -1
        csrw    0x30c, t1               # mstateen0; a trap goes on at 1
        csrwi   0x60c, 0                # hstateen0: guests get none of it
        .balign 4
1:      csrw    mtvec, t0
        ret

# u64 fetch_as_guest(u64 address): 16 bits of an instruction, with the guest's right to execute.
        .globl  fetch_as_guest
fetch_as_guest:
        hlvx.hu a0, (a0)
        ret

# void forget_all_guests(void), for harts without VMIDs
        .globl  forget_all_guests
forget_all_guests:
        hfence.gvma
        ret

        .section .rodata.images, "a"
        .globl  fibonacci_image, sort_image
        .balign 8
fibonacci_image:
        .incbin "fibonacci.elf"
        .balign 8
sort_image:
        .incbin "sort.elf"
