/*
 * vmm check [NAME...]: checks the aspects that "KVM RISC-V Support" had when it was proposed (v18),
 * and that a guest gets its own traps; or only those that are named. It prints a line for each. The
 * exit status is 0 if all of them passed.
 */
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const u8 payload_image[] = {
#embed "payload.elf"
};

static const struct { const char *name; void (*check)(void); } checks[] = {
    {"no-specific-ioctl", check_generic_ioctls},
    {"world-switch", check_world_switch},
    {"rv64", check_rv64},
    {"vcpu-get-put", check_vcpu_get_put},
    {"one-reg", check_one_reg},
    {"user-space-plic", check_plic},
    {"timer-and-ipi", check_timer_and_ipi},
    {"gstage-modes", check_gstage_modes},
    {"mmu-notifiers", check_mmu_notifiers},
    {"dirty-log", check_dirty_log},
    {"lazy-fp", check_fp},
    {"sbi-emulation", check_sbi},
    {"sbi-forwarding", check_forwarded_sbi},
    {"huge-pages", check_huge_pages},
    {"ioeventfd", check_ioeventfd},
    {"guest-traps", check_traps},
    {"lateness", check_lateness}, /* a measurement, done only if it is named */
};
enum { DEADLINE_S = 60, CHECKS = sizeof checks / sizeof *checks };

static struct vm vm;
static jmp_buf failed;
static pthread_t main_thread;
static char note[200];
static u64 thread_results[MAX_VCPUS];
static volatile int stopping, late;

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
    if (!pthread_equal(pthread_self(), main_thread)) die("%s", note);
    longjmp(failed, 1);
}

void detail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(note, sizeof note, format, arguments);
    va_end(arguments);
}

static u64 field(u64 at, u32 size)
{
    u64 value = 0;
    memcpy(&value, payload_image + at, size);
    return value;
}

/* The payload is an ELF file of one segment (the first program header). */
static void load_payload(void)
{
    u64 header = field(32, 8), offset = field(header + 8, 8), size = field(header + 32, 8);
    memcpy(vm.ram, payload_image + offset, size);
}

struct vm *fresh_vm(u32 vcpus)
{
    if (vm.fd) vm_destroy(&vm);
    vm_create(&vm);
    add_ram(&vm, PAYLOAD_RAM);
    load_payload();
    for (u32 i = 0; i < vcpus; i++) add_vcpu(&vm);
    devices_reset(&vm);
    return &vm;
}

void add_test_memory(struct vm *of, void *memory, u64 size, u32 flags)
{
    int error = set_memory(of, of->next_slot++, flags, TEST_BASE, size, memory);
    if (error) fail("a memory slot: %s", strerror(-error));
}

void start(struct vcpu *vcpu, enum payload payload, u64 argument)
{
    set_reg(vcpu, CORE(regs.pc), RAM_BASE);
    set_reg(vcpu, CORE(regs.a0), vcpu->number);
    set_reg(vcpu, CORE(regs.a1), payload);
    set_reg(vcpu, CORE(regs.a2), argument);
}

/* Whichever thread receives the alarm, the main thread has to leave KVM_RUN. */
static void hear_alarm(int signal)
{
    late = 1;
    if (!pthread_equal(pthread_self(), main_thread)) pthread_kill(main_thread, signal);
    else if (vm.vcpu_count) vm.vcpus[0].run->immediate_exit = 1;
}

void set_deadline(u32 seconds)
{
    struct sigaction action = {.sa_handler = hear_alarm};
    sigaction(SIGALRM, &action, NULL);
    late = 0;
    alarm(seconds);
}

void be_real_time(int priority)
{
    struct sched_param param = {.sched_priority = priority};
    int error = pthread_setschedparam(pthread_self(), priority ? SCHED_FIFO : SCHED_OTHER, &param);
    EXPECT(error == 0, "the thread's scheduling: %s", strerror(error));
}

static int is_call(const struct kvm_run *run, u64 call)
{
    return run->riscv_sbi.extension_id == PAYLOAD_CALL && run->riscv_sbi.function_id == call;
}

u64 run_to_call(struct vcpu *vcpu, u64 call)
{
    struct kvm_run *run = vcpu->run;
    for (;;) {
        int reason = run_vcpu(vcpu);
        if (reason == KVM_EXIT_INTR && late) {
            fail("no end in sight at pc %#lx", get_reg(vcpu, CORE(regs.pc)));
        }
        if (reason == KVM_EXIT_INTR && !stopping) continue;
        if (reason == KVM_EXIT_INTR) return 0;
        if (reason == KVM_EXIT_RISCV_SBI && is_call(run, call)) return run->riscv_sbi.args[0];
        if (reason == KVM_EXIT_RISCV_SBI && is_call(run, CALL_DONE)) {
            fail("the guest ended early: %#lx pc %#lx value %#lx", run->riscv_sbi.args[0],
                 run->riscv_sbi.args[1], run->riscv_sbi.args[2]);
        }
        if (reason == KVM_EXIT_MMIO
            && device_access(run->mmio.phys_addr, run->mmio.data, run->mmio.len,
                             run->mmio.is_write)) {
            vcpu->vm->mmio_exits++;
            continue;
        }
        fail("KVM_RUN gave %d at pc %#lx", reason, get_reg(vcpu, CORE(regs.pc)));
    }
}

void answer(struct vcpu *vcpu, u64 value)
{
    vcpu->run->riscv_sbi.ret[0] = 0;
    vcpu->run->riscv_sbi.ret[1] = value;
}

void run_to_done(struct vcpu *vcpu)
{
    u64 result = run_to_call(vcpu, CALL_DONE);
    if (result) fail("the guest says %#lx", result);
}

static void *run_thread(void *of)
{
    struct vcpu *vcpu = of;
    thread_results[vcpu->number] = run_to_call(vcpu, CALL_DONE);
    return NULL;
}

static void wake(int signal) { (void)signal; }

void run_in_thread(struct vcpu *vcpu)
{
    struct sigaction action = {.sa_handler = wake};
    sigaction(SIGUSR1, &action, NULL);
    stopping = 0;
    pthread_create(&vcpu->thread, NULL, run_thread, vcpu);
}

u64 join_thread(struct vcpu *vcpu)
{
    pthread_join(vcpu->thread, NULL);
    return thread_results[vcpu->number];
}

/* Gets a vCPU out of KVM_RUN, where it may sleep. */
void stop_thread(struct vcpu *vcpu)
{
    stopping = 1;
    vcpu->run->immediate_exit = 1;
    pthread_kill(vcpu->thread, SIGUSR1);
    join_thread(vcpu);
    vcpu->run->immediate_exit = 0;
    stopping = 0;
}

static s64 now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int ends_well(u32 number, u32 deadline_s)
{
    note[0] = 0;
    if (setjmp(failed)) return 0;
    set_deadline(deadline_s);
    be_real_time(0);
    checks[number].check();
    set_deadline(0);
    return 1;
}

/*
 * A check that does not end in time is tried again where Linux may lose an alarm. A check that ends
 * and finds a fault is never tried again.
 */
static int passes(u32 number)
{
    const char *name = checks[number].name;
    s64 begin = now_ms();
    int tries = checks[number].check == check_timer_and_ipi ? 3 : 1;
    for (int try = 1; !ends_well(number, DEADLINE_S / tries); try++) {
        if (!late || try == tries) {
            printf("kvm %s: FAIL: %s\n", name, note);
            return 0;
        }
        printf("kvm %s: try %d: %s\n", name, try, note);
    }
    printf("kvm %s: pass%s%s (%ld ms)\n", name, note[0] ? ", " : "", note, now_ms() - begin);
    return 1;
}

static int is_named(u32 number, char **names)
{
    for (char **name = names; *name; name++)
        if (strcmp(*name, checks[number].name) == 0) return 1;
    return !*names && checks[number].check != check_lateness;
}

int check(char **names)
{
    int passed = 0, tried = 0;
    main_thread = pthread_self();
    for (u32 i = 0; i < CHECKS; i++) {
        if (!is_named(i, names)) continue;
        tried++;
        passed += passes(i);
    }
    printf("kvm: %d of %d passed\n", passed, tried);
    return passed != tried || !tried;
}
