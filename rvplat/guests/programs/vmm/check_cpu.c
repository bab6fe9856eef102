/* Checks of KVM: the vCPU's registers, and how they are saved and restored. */
#include "check.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FP(number) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_FP_D | (number))
enum { SWITCHES = 200, ROUNDS = 16, MAX_REGISTERS = 1024 };

/* All is done by ioctls that every architecture has; those for registers by structure are not
 * for RISC-V. */
void check_generic_ioctls(void)
{
    struct vm *vm = fresh_vm(1);
    u8 room[4096];
    start(&vm->vcpus[0], PAYLOAD_ADD, 8);
    u64 sum = run_to_call(&vm->vcpus[0], CALL_DONE);
    EXPECT(sum == 50, "the guest calculated %lu", sum);
    EXPECT(ioctl(vm->vcpus[0].fd, KVM_GET_REGS, room) < 0, "KVM_GET_REGS is there");
    EXPECT(ioctl(vm->vcpus[0].fd, KVM_GET_SREGS, room) < 0, "KVM_GET_SREGS is there");
    EXPECT(ioctl(vm->vcpus[0].fd, KVM_GET_FPU, room) < 0, "KVM_GET_FPU is there");
}

/* Writes a value to every register; the guest adds each register's number to it. */
void check_world_switch(void)
{
    struct vcpu *vcpu = &fresh_vm(1)->vcpus[0];
    u64 wanted[32];
    set_reg(vcpu, GPR(0), ADD_TO_REGISTERS);
    for (u64 i = 1; i < 32; i++) wanted[i] = pattern(1, i);
    wanted[17] = PAYLOAD_CALL; /* a7 */
    for (u64 i = 1; i < 32; i++) set_reg(vcpu, GPR(i), wanted[i]);
    for (u64 round = 0; round < SWITCHES; round++) {
        int reason = run_vcpu(vcpu);
        EXPECT(reason == KVM_EXIT_RISCV_SBI, "KVM_RUN gave %d", reason);
        for (u64 i = 1; i < 32; i++) {
            wanted[i] += i;
            EXPECT(get_reg(vcpu, GPR(i)) == wanted[i], "x%lu is %#lx, and should be %#lx", i,
                   get_reg(vcpu, GPR(i)), wanted[i]);
        }
        wanted[10] = vcpu->run->riscv_sbi.ret[0] = pattern(round, 10);
        wanted[11] = vcpu->run->riscv_sbi.ret[1] = pattern(round, 11);
    }
    detail("%d switches", SWITCHES);
}

void check_rv64(void)
{
    struct vcpu *vcpu = &fresh_vm(1)->vcpus[0];
    u64 isa = get_reg(vcpu, CONFIG(isa)), needed = 0;
    start(vcpu, PAYLOAD_RV64, 0);
    u64 bits = run_to_call(vcpu, CALL_DONE);
    EXPECT(bits == 64, "a register of the guest has %lu bits", bits);
    for (const char *c = "imac"; *c; c++) needed |= 1UL << (*c - 'a');
    EXPECT((isa & needed) == needed, "the guest's isa is %#lx", isa);
    EXPECT(get_reg(vcpu, CORE(mode)) == KVM_RISCV_MODE_S, "the guest isn't in VS mode");
    detail("isa %#lx", isa);
}

/* An error of a guest traps to the guest, though it may reach the firmware first. */
void check_traps(void)
{
    struct vcpu *vcpu = &fresh_vm(1)->vcpus[0];
    start(vcpu, PAYLOAD_TRAPS, 0);
    run_to_done(vcpu);
    detail("illegal instructions, breakpoint, page fault");
}

/* Moves to another CPU of the host, if there is one, where the vCPU's state must be loaded again. */
static void migrate(u64 round, s64 cpus)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(round % cpus, &set);
    EXPECT(sched_setaffinity(0, sizeof set, &set) == 0, "sched_setaffinity: %s", strerror(errno));
}

static void stay_anywhere(void)
{
    cpu_set_t set;
    memset(&set, 0xff, sizeof set);
    sched_setaffinity(0, sizeof set, &set);
}

/* Runs two vCPUs in turn, on all CPUs of the host: each must keep its own CSRs. */
void check_vcpu_get_put(void)
{
    struct vm *vm = fresh_vm(2);
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
    s64 cpus = sysconf(_SC_NPROCESSORS_ONLN); /* of those that this thread may use */
    ioctl(vm->vcpus[1].fd, KVM_SET_MP_STATE, &runnable);
    for (u64 i = 0; i < 2; i++) start(&vm->vcpus[i], PAYLOAD_CSRS, 100 * i);
    for (u64 round = 0; round < ROUNDS; round++) {
        for (u64 i = 0; i < 2; i++) {
            migrate(round / 2 + i, cpus);
            EXPECT(run_to_call(&vm->vcpus[i], CALL_STEP) == round, "the guest is out of step");
            u64 scratch = get_reg(&vm->vcpus[i], CSR(sscratch));
            EXPECT(scratch == pattern(100 * i, round), "vsscratch is %#lx", scratch);
        }
    }
    for (u64 i = 0; i < 2; i++) run_to_done(&vm->vcpus[i]);
    stay_anywhere();
    detail("2 vCPUs, %ld CPUs", cpus);
}

/* Every register that can be read can be written back, and reads the same, except the clock. */
static int is_stable(struct vcpu *vcpu, u64 id)
{
    u64 first[8] = {0}, second[8] = {0};
    int error = try_get(vcpu, id, first);
    EXPECT(error == 0, "register %#lx cannot be read: %s", id, strerror(-error));
    u64 kind = id & KVM_REG_RISCV_TYPE_MASK;
    if (kind != KVM_REG_RISCV_CORE && kind != KVM_REG_RISCV_CSR && kind != KVM_REG_RISCV_FP_D)
        return 0;
    EXPECT(try_set(vcpu, id, first) == 0, "register %#lx cannot be written", id);
    EXPECT(try_get(vcpu, id, second) == 0, "register %#lx cannot be read again", id);
    EXPECT(memcmp(first, second, sizeof first) == 0, "register %#lx has changed", id);
    return 1;
}

static void check_what_is_refused(struct vcpu *vcpu)
{
    u64 value = 0;
    u32 half;
    EXPECT(try_get(vcpu, GPR(40), &value) < 0, "x40 can be read");
    EXPECT(try_set(vcpu, GPR(40), &value) < 0, "x40 can be written");
    EXPECT(try_get(vcpu, KVM_REG_RISCV | KVM_REG_SIZE_U32 | KVM_REG_RISCV_CORE, &half) < 0,
           "half of pc can be read");
    EXPECT(try_get(vcpu, KVM_REG_RISCV | KVM_REG_SIZE_U64 | (0x7fUL << 24), &value) < 0,
           "a register of no kind can be read");
    EXPECT(try_set(vcpu, TIMER(frequency), &value) < 0, "the clock's frequency can be written");
}

void check_one_reg(void)
{
    struct vcpu *vcpu = &fresh_vm(1)->vcpus[0];
    struct kvm_reg_list *list = calloc(1, sizeof *list + MAX_REGISTERS * sizeof list->reg[0]);
    int written = 0;
    list->n = MAX_REGISTERS;
    EXPECT(ioctl(vcpu->fd, KVM_GET_REG_LIST, list) == 0, "KVM_GET_REG_LIST: %s", strerror(errno));
    for (u64 i = 0; i < list->n; i++) written += is_stable(vcpu, list->reg[i]);
    EXPECT(written >= 32, "only %d registers can be written", written);
    check_what_is_refused(vcpu);
    u64 before = get_reg(vcpu, TIMER(time));
    usleep(1000);
    EXPECT(get_reg(vcpu, TIMER(time)) > before, "the guest's clock stands");
    set_reg(vcpu, CSR(sepc), 0x123456788);
    EXPECT(get_reg(vcpu, CSR(sepc)) == 0x123456788, "sepc cannot be written");
    detail("%lu registers, %d written", (unsigned long)list->n, written);
    free(list);
}

static volatile double spoiler = 1.5;

/* Two vCPUs and this program each have their own floating-point registers. */
void check_fp(void)
{
    struct vm *vm = fresh_vm(2);
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
    ioctl(vm->vcpus[1].fd, KVM_SET_MP_STATE, &runnable);
    for (u64 i = 0; i < 2; i++) start(&vm->vcpus[i], PAYLOAD_FP, 201 * i);
    for (u64 round = 0; round < ROUNDS; round++) {
        for (u64 i = 0; i < 2; i++) {
            double mine = spoiler * (round + 1);
            run_to_call(&vm->vcpus[i], CALL_STEP);
            EXPECT(mine == spoiler * (round + 1), "the host's own registers have changed");
            for (u64 n = 0; n < 32; n++) {
                u64 value = get_reg(&vm->vcpus[i], FP(n));
                EXPECT(value == pattern(201 * i + round, n), "f%lu is %#lx", n, value);
            }
        }
    }
    for (u64 i = 0; i < 2; i++) {
        EXPECT(run_to_call(&vm->vcpus[i], CALL_STEP) == 100, "the guest is out of step");
        for (u64 n = 0; n < 32; n++) set_reg(&vm->vcpus[i], FP(n), pattern(201 * i + 1000, n));
    }
    for (u64 i = 0; i < 2; i++) run_to_done(&vm->vcpus[i]);
}
