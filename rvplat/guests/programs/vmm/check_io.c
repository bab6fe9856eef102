/* Checks of KVM: interrupts, timers, calls of the SBI, accesses to devices. */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

void check_plic(void)
{
    struct vm *vm = fresh_vm(1);
    struct vcpu *vcpu = &vm->vcpus[0];
    start(vcpu, PAYLOAD_PLIC, 0);
    for (int round = 0; round < 4; round++) {
        u64 said = run_to_call(vcpu, CALL_STEP);
        EXPECT(said == 100, "the guest says %#lx", said);
        plic_set_line(PLIC_SOURCE, 1);
        said = run_to_call(vcpu, CALL_STEP);
        EXPECT(said == PLIC_SOURCE, "the guest claimed %lu", said);
        plic_set_line(PLIC_SOURCE, 0);
    }
    run_to_done(vcpu);
    EXPECT(vm->mmio_exits >= 11, "only %lu MMIO exits", vm->mmio_exits);
    detail("4 interrupts, %lu MMIO exits", vm->mmio_exits);
}

/*
 * Neither alarms nor IPIs may exit to user space: run_to_done would report them.
 *
 * Linux 6.12 loses an alarm that is set by SBI if the thread is preempted before it is in the guest
 * again, where there is Sstc: it writes vstimecmp alone, and what it puts into that on its way back
 * to the CPU is what it read at the last exit (kvm_riscv_vcpu_update_vstimecmp, _timer_restore). So
 * nothing may preempt it. A real-time thread is still preempted on a busy host, by the kernel's fair
 * server and by migration; then the check does not end, and is tried again.
 */
void check_timer_and_ipi(void)
{
    struct vcpu *vcpu = &fresh_vm(1)->vcpus[0];
    u64 sstc = 0;
    start(vcpu, PAYLOAD_TIMER, 0);
    be_real_time(1);
    run_to_done(vcpu);
    be_real_time(0);
    if (try_get(vcpu, ISA(SSTC), &sstc) == 0 && sstc) {
        vcpu = &fresh_vm(1)->vcpus[0];
        start(vcpu, PAYLOAD_STIMECMP, 0);
        run_to_done(vcpu);
    }
    struct vm *vm = fresh_vm(2);
    start(&vm->vcpus[0], PAYLOAD_IPI, 0);
    run_in_thread(&vm->vcpus[1]);
    u64 result = run_to_call(&vm->vcpus[0], CALL_DONE);
    stop_thread(&vm->vcpus[1]);
    EXPECT(result == 0, "the guest says %#lx", result);
    detail("by SBI%s, 8 IPIs", sstc ? " and stimecmp" : "");
}

void check_sbi(void)
{
    struct vcpu *vcpu = &fresh_vm(1)->vcpus[0];
    start(vcpu, PAYLOAD_SBI, 0);
    u64 version = run_to_call(vcpu, CALL_DONE);
    EXPECT(version >= 1 && version < 10, "the guest says %#lx", version);
    detail("SBI %lu", version);
}

static const struct kvm_run *next_call(struct vcpu *vcpu, u64 extension)
{
    int reason = run_vcpu(vcpu);
    EXPECT(reason == KVM_EXIT_RISCV_SBI, "KVM_RUN gave %d at %#lx", reason,
           get_reg(vcpu, CORE(regs.pc)));
    u64 got = vcpu->run->riscv_sbi.extension_id;
    EXPECT(got == extension, "extension %#lx was called, not %#lx", got, extension);
    return vcpu->run;
}

/* The calls of SBI 0.1, where the kernel was built with them. */
static void check_legacy(struct vcpu *vcpu)
{
    const struct kvm_run *run = next_call(vcpu, 1);
    EXPECT(run->riscv_sbi.args[0] == 'K', "putchar of %#lx", (u64)run->riscv_sbi.args[0]);
    next_call(vcpu, 2);
    vcpu->run->riscv_sbi.ret[0] = 'V';
}

static void check_debug_console(struct vcpu *vcpu)
{
    const struct kvm_run *run = next_call(vcpu, 0x4442434e);
    u64 size = run->riscv_sbi.args[0];
    const u8 *said = guest_memory(vcpu->vm, run->riscv_sbi.args[1], size);
    EXPECT(size == sizeof GREETING - 1 && said && memcmp(said, GREETING, size) == 0,
           "another text on the debug console");
    vcpu->run->riscv_sbi.ret[0] = 0;
    vcpu->run->riscv_sbi.ret[1] = size;
}

static void check_arguments(struct vcpu *vcpu)
{
    const u64 wanted[6] = {0x11, 0x22, 0x2233, 0x33, 0x44, 0x55};
    const struct kvm_run *run = next_call(vcpu, PAYLOAD_CALL);
    for (int i = 0; i < 6; i++) {
        EXPECT(run->riscv_sbi.args[i] == wanted[i], "argument %d is %#lx", i,
               (u64)run->riscv_sbi.args[i]);
    }
    vcpu->run->riscv_sbi.ret[0] = -7;
    vcpu->run->riscv_sbi.ret[1] = 0x123456789abcdefUL;
}

void check_forwarded_sbi(void)
{
    struct vcpu *vcpu = &fresh_vm(1)->vcpus[0];
    u64 yes = 1;
    EXPECT(try_set(vcpu, SBI(DBCN), &yes) == 0, "this KVM has no debug console");
    start(vcpu, PAYLOAD_FORWARD, 0);
    u64 legacy = run_to_call(vcpu, CALL_STEP);
    if (legacy) check_legacy(vcpu);
    check_debug_console(vcpu);
    check_arguments(vcpu);
    EXPECT(run_vcpu(vcpu) == KVM_EXIT_SYSTEM_EVENT, "the guest's shutdown isn't an event");
    EXPECT(vcpu->run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN, "not a shutdown");
    u64 line = vcpu->run->system_event.data[0];
    EXPECT(line == 0, "the guest got a wrong answer (line %lu)", line);
    detail("%sDBCN, SRST, a range for experiments", legacy ? "legacy, " : "");
}

/* Stores of 7 are events and never exit to user space; other stores do. */
void check_ioeventfd(void)
{
    struct vm *vm = fresh_vm(1);
    struct vcpu *vcpu = &vm->vcpus[0];
    int event = eventfd(0, 0);
    u64 count = 0;
    struct kvm_ioeventfd wanted = {
        .datamatch = 7, .addr = EVENT_ADDRESS, .len = 4, .fd = event,
        .flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
    };
    EXPECT(ioctl(vm->fd, KVM_IOEVENTFD, &wanted) == 0, "KVM_IOEVENTFD: %s", strerror(errno));
    start(vcpu, PAYLOAD_EVENTS, 0);
    int reason = run_vcpu(vcpu);
    EXPECT(reason == KVM_EXIT_MMIO, "KVM_RUN gave %d", reason);
    EXPECT(vcpu->run->mmio.phys_addr == EVENT_ADDRESS && vcpu->run->mmio.data[0] == 8,
           "a store of %u came to user space", vcpu->run->mmio.data[0]);
    EXPECT(read(event, &count, 8) == 8 && count == 3, "%lu events instead of 3", count);
    run_to_done(vcpu);
    EXPECT(read(event, &count, 8) == 8 && count == 1, "%lu events instead of 1", count);
    wanted.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
    EXPECT(ioctl(vm->fd, KVM_IOEVENTFD, &wanted) == 0, "the event cannot be taken back");
    close(event);
}
