/* kvm_vectors TURNS: virtual CPUs, more than harts, compute in their vector registers. The threads that
   run them do vector work of their own between. Before and after each run, ONE_REG sets and reads
   all vector state. Prints how many runs there were, and what was wrong. */

#include "work.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

enum { VCPUS = 3, RAM = 0x80000000, NOWHERE = 0x10000000, PAGE = 4096, VLENB_MOST = 128 };
enum { A0 = 10, LOG_OF_SIZE = 52 };

#define ULONG(kind, number) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | (kind) | (number))
#define VECTOR_CSR(name) ULONG(KVM_REG_RISCV_VECTOR, KVM_REG_RISCV_VECTOR_CSR_REG(name))

extern const char guest_start[], guest_end[];

struct vcpu {
    pthread_t thread;
    int fd;
    struct kvm_run *run;
    uint64_t state, vlenb;
};

static atomic_ulong runs, wrong;
static unsigned long turns;
static uint64_t sums[SEEDS];

static void expect(const char *what, uint64_t found, uint64_t expected) {
    if (found == expected || atomic_fetch_add(&wrong, 1) >= 20) return;
    fprintf(stderr, "wrong: %s is %#llx, expected %#llx\n", what, (unsigned long long)found,
            (unsigned long long)expected);
}

static uint64_t next(struct vcpu *vcpu) {
    vcpu->state = vcpu->state * 6364136223846793005u + 1442695040888963407u;
    return vcpu->state >> 11;
}

static void one_reg(struct vcpu *vcpu, unsigned long request, uint64_t id, void *value) {
    struct kvm_one_reg one = {id, (uintptr_t)value};
    if (ioctl(vcpu->fd, request, &one)) expect("ONE_REG of", id, 0);
}

static void set(struct vcpu *vcpu, uint64_t id, uint64_t value) {
    one_reg(vcpu, KVM_SET_ONE_REG, id, &value);
}

static uint64_t get(struct vcpu *vcpu, uint64_t id) {
    uint64_t value = 0;
    one_reg(vcpu, KVM_GET_ONE_REG, id, &value);
    return value;
}

/* Register v[n], of vlenb bytes. */
static uint64_t v_id(struct vcpu *vcpu, unsigned n) {
    uint64_t size = (uint64_t)__builtin_ctzll(vcpu->vlenb) << LOG_OF_SIZE;
    return KVM_REG_RISCV | size | KVM_REG_RISCV_VECTOR | KVM_REG_RISCV_VECTOR_REG(n);
}

static uint64_t repeated(uint64_t x, uint64_t count, uint64_t factor, uint64_t summand) {
    for (; count; count >>= 1) {
        if (count & 1) x = x * factor + summand;
        summand += summand * factor;
        factor *= factor;
    }
    return x;
}

static void run_once(struct vcpu *vcpu) {
    uint64_t before[VLENB_MOST / 8 * 32], after[VLENB_MOST / 8 * 32];
    uint64_t each = vcpu->vlenb / 8, sew = next(vcpu) % 4, vl = next(vcpu) % (vcpu->vlenb >> sew);
    uint64_t arguments[] = {NOWHERE, 1 + next(vcpu) % 20000, next(vcpu) | 1, next(vcpu), vl,
                            sew << 3 | (next(vcpu) & 3) << 6, next(vcpu) % 8};
    for (uint64_t i = 0; i < 32 * each; i++) before[i] = next(vcpu);
    for (unsigned n = 0; n < 32; n++)
        one_reg(vcpu, KVM_SET_ONE_REG, v_id(vcpu, n), before + n * each);
    for (unsigned i = 0; i < sizeof arguments / 8; i++)
        set(vcpu, ULONG(KVM_REG_RISCV_CORE, A0 + i), arguments[i]);
    set(vcpu, ULONG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(regs.pc)), RAM);
    expect("KVM_RUN", (uint64_t)ioctl(vcpu->fd, KVM_RUN, 0), 0);
    expect("the reason of an exit", vcpu->run->exit_reason, KVM_EXIT_MMIO);
    uint64_t seed = next(vcpu) % SEEDS;
    expect("work", work(seed), sums[seed]);
    for (unsigned n = 0; n < 32; n++)
        one_reg(vcpu, KVM_GET_ONE_REG, v_id(vcpu, n), after + n * each);
    for (uint64_t i = 0; i < 32 * each; i++)
        expect("an element", after[i],
               repeated(before[i], arguments[1], arguments[2], arguments[3]));
    expect("vl", get(vcpu, VECTOR_CSR(vl)), arguments[4]);
    expect("vtype", get(vcpu, VECTOR_CSR(vtype)), arguments[5]);
    expect("vcsr", get(vcpu, VECTOR_CSR(vcsr)), arguments[6]);
    expect("vstart", get(vcpu, VECTOR_CSR(vstart)), 0);
    atomic_fetch_add(&runs, 1);
}

static void *run(void *of) {
    struct vcpu *vcpu = of;
    vcpu->vlenb = get(vcpu, VECTOR_CSR(vlenb));
    for (unsigned long i = 0; i < turns; i++) run_once(vcpu);
    return NULL;
}

int main(int count, char **arguments) {
    static struct vcpu vcpus[VCPUS];
    turns = count > 1 ? strtoul(arguments[1], NULL, 0) : 10;
    for (int i = 0; i < SEEDS; i++) sums[i] = work((uint64_t)i);
    int kvm = open("/dev/kvm", O_RDWR), vm = ioctl(kvm, KVM_CREATE_VM, 0);
    char *ram = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {0, 0, RAM, PAGE, (uintptr_t)ram};
    memcpy(ram, guest_start, (size_t)(guest_end - guest_start));
    expect("the memory region", (uint64_t)ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), 0);
    size_t size = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    for (int i = 0; i < (int)VCPUS; i++) {
        struct kvm_mp_state runnable = {KVM_MP_STATE_RUNNABLE};
        vcpus[i].fd = ioctl(vm, KVM_CREATE_VCPU, i);
        vcpus[i].run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpus[i].fd, 0);
        vcpus[i].state = (uint64_t)i + 1;
        ioctl(vcpus[i].fd, KVM_SET_MP_STATE, &runnable);
        pthread_create(&vcpus[i].thread, NULL, run, &vcpus[i]);
    }
    for (int i = 0; i < (int)VCPUS; i++) pthread_join(vcpus[i].thread, NULL);
    printf("kvm vectors: vlenb %u, runs %lu, wrong %lu\n", (unsigned)vcpus[0].vlenb, runs, wrong);
    return wrong != 0;
}
