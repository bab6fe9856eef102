/* Measures how late a guest's timer is: on each CPU of the host alone, and on several at once. */
#include "check.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ALARMS = 200, TOGETHER = 4 };

static u64 lateness[TOGETHER * ALARMS]; /* ticks */

static int compare(const void *a, const void *b)
{
    u64 first = *(const u64 *)a, second = *(const u64 *)b;
    return (first > second) - (first < second);
}

static void report(const char *where, const char *how, u32 count, u64 frequency)
{
    qsort(lateness, count, sizeof *lateness, compare);
    printf("lateness: %s, %s: median %.1f us, worst %.1f us of %u\n", where, how,
           1e6 * lateness[count / 2] / frequency, 1e6 * lateness[count - 1] / frequency, count);
}

static void stay_on(u64 cpus)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (u64 i = 0; i < 64; i++)
        if (cpus >> i & 1) CPU_SET(i, &set);
    EXPECT(sched_setaffinity(0, sizeof set, &set) == 0, "CPUs %#lx cannot be had", cpus);
}

static void *take_alarms(void *of)
{
    struct vcpu *vcpu = of;
    for (u32 i = 0; i < ALARMS; i++)
        lateness[vcpu->number * ALARMS + i] = run_to_call(vcpu, CALL_STEP);
    return NULL;
}

static void measure(const char *where, u32 vcpus, u64 how)
{
    static const char *const names[] = {"running", "pausing", "asleep"};
    struct vm *vm = fresh_vm(vcpus);
    struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
    for (u32 i = 0; i < vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpus[i];
        ioctl(vcpu->fd, KVM_SET_MP_STATE, &runnable);
        start(vcpu, PAYLOAD_LATE, how);
        pthread_create(&vcpu->thread, NULL, take_alarms, vcpu);
    }
    for (u32 i = 0; i < vcpus; i++) pthread_join(vm->vcpus[i].thread, NULL);
    report(where, names[how], vcpus * ALARMS,
           get_reg(&vm->vcpus[0], TIMER(frequency)));
}

/* One vCPU, pinned to each CPU of the host in turn; then several vCPUs that aren't pinned. */
void check_lateness(void)
{
    s64 cpus = sysconf(_SC_NPROCESSORS_ONLN);
    char where[40];
    for (s64 cpu = 0; cpu < cpus; cpu++) {
        stay_on(1UL << cpu);
        snprintf(where, sizeof where, "on hart %ld", (long)cpu);
        for (u64 how = 0; how < LATE_WAYS; how++) measure(where, 1, how);
    }
    stay_on(~0UL);
    snprintf(where, sizeof where, "%d virtual CPUs", TOGETHER);
    for (u64 how = 0; how < LATE_WAYS; how++) measure(where, TOGETHER, how);
}
