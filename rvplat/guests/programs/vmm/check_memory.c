/* Checks of KVM: the guest's memory while the host changes it. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define TEST_SIZE (TEST_PAGES * PAGE)
#define HUGE (2 * MIB)
#define HUGE_TEST (16 * MIB)

/* Starts a guest that reads and writes a page there. */
static struct vcpu *start_at(u64 address, u64 *page)
{
    struct vm *vm = fresh_vm(1);
    page[0] = address;
    page[1] = 0;
    int error = set_memory(vm, vm->next_slot++, 0, address, PAGE, page);
    EXPECT(error == 0, "no slot at %#lx: %s", address, strerror(-error));
    start(&vm->vcpus[0], PAYLOAD_STORE_LOAD, address);
    return &vm->vcpus[0];
}

/* QEMU (at least up to 7.2) treats the highest bit as a sign, so that the guest faults for ever. */
static int is_highest_bit_translated(u32 bits, u64 *page)
{
    struct vcpu *vcpu = start_at(1UL << (bits - 1), page);
    set_deadline(3);
    int reason = run_vcpu(vcpu);
    set_deadline(0);
    EXPECT(reason == KVM_EXIT_RISCV_SBI || reason == KVM_EXIT_INTR, "KVM_RUN gave %d", reason);
    return reason == KVM_EXIT_RISCV_SBI && vcpu->run->riscv_sbi.args[0] == 0;
}

/* Guest-physical addresses of every width of the mode: a page at each, and a fault beyond them. */
void check_gstage_modes(void)
{
    static const u32 widths[] = {32, 36, 38, 39, 43, 47, 48, 52, 56, 57};
    u32 bits = ioctl(fresh_vm(0)->fd, KVM_CHECK_EXTENSION, KVM_CAP_VM_GPA_BITS), tried = 0;
    const char *mode = bits == 41 ? "Sv39x4" : bits == 50 ? "Sv48x4" : bits == 59 ? "Sv57x4" : NULL;
    EXPECT(mode, "guest-physical addresses of %u bits", bits);
    u64 *page = map_anonymous(PAGE);
    for (; tried < sizeof widths / sizeof *widths && widths[tried] < bits - 1; tried++) {
        u64 address = 1UL << widths[tried] | 0x5000;
        run_to_done(start_at(address, page));
        EXPECT(page[1] == ~address, "the guest's store to %#lx isn't there", address);
    }
    struct vm *vm = fresh_vm(0);
    EXPECT(set_memory(vm, vm->next_slot++, 0, 1UL << bits, PAGE, page) < 0,
           "a slot beyond %u bits was taken", bits);
    int highest = is_highest_bit_translated(bits, page);
    munmap(page, PAGE);
    detail("%s, %u bits, %u widths%s", mode, bits, tried,
           highest ? "" : ", but the highest bit is NOT translated");
}

static void expect_pattern(const u64 *memory, u64 seed)
{
    for (u64 i = 0; i < TEST_PAGES; i++) {
        EXPECT(memory[512 * i] == pattern(seed, i), "page %lu is %#lx", i, memory[512 * i]);
    }
}

static void fill(u64 *memory, u64 value)
{
    for (u64 i = 0; i < TEST_PAGES; i++) memory[512 * i] = value;
}

/* New memory at the old address, at once: between munmap and mmap the guest would find nothing. */
static void replace_mapping(void *memory, u64 size)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    void *got = mmap(memory, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    EXPECT(got == memory, "mmap: %s", strerror(errno));
}

/* After a fork the guest writes to pages that it shares with the child: the child's don't change. */
static void check_fork(struct vcpu *vcpu, u64 *memory)
{
    int go[2];
    char byte = 0;
    EXPECT(pipe(go) == 0, "pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        if (read(go[0], &byte, 1) != 1) _exit(3);
        for (u64 i = 0; i < TEST_PAGES; i++) {
            if (memory[512 * i] != pattern(1, i)) _exit(4);
        }
        _exit(0);
    }
    answer(vcpu, 0x3333);
    fill(memory, 0x3333);
    u64 said = run_to_call(vcpu, CALL_STEP);
    EXPECT(said == 2, "the guest is at step %lu", said);
    int status = -1;
    EXPECT(write(go[1], &byte, 1) == 1 && waitpid(child, &status, 0) == child, "the child is gone");
    EXPECT(status == 0, "the child's memory has changed (status %#x)", status);
    expect_pattern(memory, 2);
    close(go[0]);
    close(go[1]);
}

/* The guest uses its memory while another thread removes it, page by page and as a whole. */
static void check_churn(void)
{
    struct vm *vm = fresh_vm(1);
    u64 size = TEST_SIZE + PAGE;
    u8 *memory = map_anonymous(size);
    add_test_memory(vm, memory, size, 0);
    start(&vm->vcpus[0], PAYLOAD_CHURN, 0);
    run_in_thread(&vm->vcpus[0]);
    for (u64 round = 0; round < 40; round++) {
        madvise(memory + round % TEST_PAGES * PAGE, PAGE, MADV_DONTNEED);
        if (round % 8 == 0) replace_mapping(memory, TEST_SIZE);
        if (round % 8 == 4) madvise(memory, TEST_SIZE, MADV_DONTNEED);
        usleep(500);
    }
    *(volatile u64 *)(memory + TEST_SIZE) = 1;
    u64 result = join_thread(&vm->vcpus[0]);
    EXPECT(result == 0, "the guest says %#lx while its memory comes and goes", result);
    munmap(memory, size);
}

void check_mmu_notifiers(void)
{
    struct vm *vm = fresh_vm(1);
    struct vcpu *vcpu = &vm->vcpus[0];
    u64 *memory = map_anonymous(TEST_SIZE);
    add_test_memory(vm, memory, TEST_SIZE, 0);
    start(vcpu, PAYLOAD_MEMORY, 0);
    EXPECT(run_to_call(vcpu, CALL_STEP) == 0, "the guest is out of step");
    expect_pattern(memory, 0);
    madvise(memory, TEST_SIZE, MADV_DONTNEED); /* reads as zero from now on */
    answer(vcpu, 0);
    EXPECT(run_to_call(vcpu, CALL_STEP) == 1, "the guest is out of step");
    expect_pattern(memory, 1);
    check_fork(vcpu, memory);
    EXPECT(munmap(memory, TEST_SIZE) == 0, "munmap: %s", strerror(errno));
    replace_mapping(memory, TEST_SIZE);
    fill(memory, 0x5555);
    answer(vcpu, 0x5555);
    run_to_done(vcpu);
    munmap(memory, TEST_SIZE);
    check_churn();
    detail("madvise, fork, munmap");
}

void check_dirty_log(void)
{
    struct vm *vm = fresh_vm(1);
    struct vcpu *vcpu = &vm->vcpus[0];
    u64 *memory = map_anonymous(TEST_SIZE), bitmap;
    struct kvm_dirty_log log = {.slot = vm->next_slot, .dirty_bitmap = &bitmap};
    add_test_memory(vm, memory, TEST_SIZE, KVM_MEM_LOG_DIRTY_PAGES);
    start(vcpu, PAYLOAD_DIRTY, 0);
    for (u64 round = 0; round < 3; round++) {
        u64 wanted = 0;
        for (u64 i = round; i < TEST_PAGES; i += round + 2) wanted |= 1UL << i;
        EXPECT(run_to_call(vcpu, CALL_STEP) == round, "the guest is out of step");
        bitmap = 0;
        EXPECT(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log) == 0, "KVM_GET_DIRTY_LOG");
        EXPECT(bitmap == wanted, "round %lu: %#lx is dirty, not %#lx", round, bitmap, wanted);
        EXPECT(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log) == 0, "KVM_GET_DIRTY_LOG");
        EXPECT(bitmap == 0, "round %lu: %#lx is still dirty", round, bitmap);
    }
    run_to_done(vcpu);
    munmap(memory, TEST_SIZE);
}

/* KVM's statistic of that name for a vCPU. Linux, KVM_GET_STATS_FD. */
static u64 statistic(struct vcpu *vcpu, const char *name)
{
    struct kvm_stats_header header;
    int stats = ioctl(vcpu->fd, KVM_GET_STATS_FD, 0);
    EXPECT(stats >= 0 && pread(stats, &header, sizeof header, 0) == sizeof header, "no statistics");
    u64 each = sizeof(struct kvm_stats_desc) + header.name_size, value = 0;
    struct kvm_stats_desc *desc = malloc(each);
    for (u32 i = 0; i < header.num_desc; i++) {
        if (pread(stats, desc, each, header.desc_offset + i * each) != (s64)each) break;
        if (strcmp(desc->name, name) != 0) continue;
        EXPECT(pread(stats, &value, 8, header.data_offset + desc->offset) == 8, "no %s", name);
    }
    free(desc);
    close(stats);
    return value;
}

/* The number of exits while the guest touched memory that the host has mapped already. */
static u64 exits_of_touching(u8 *memory)
{
    struct vm *vm = fresh_vm(1);
    struct vcpu *vcpu = &vm->vcpus[0];
    u64 pages = HUGE_TEST / PAGE;
    memset(memory, 1, HUGE_TEST);
    add_test_memory(vm, memory, HUGE_TEST, 0);
    start(vcpu, PAYLOAD_TOUCH, pages);
    u64 sum = run_to_call(vcpu, CALL_DONE);
    EXPECT(sum == pages * (pages - 1) / 2, "the guest says %#lx", sum);
    for (u64 i = 0; i < pages; i++) {
        EXPECT(*(u64 *)(memory + i * PAGE) == i, "page %lu isn't as the guest left it", i);
    }
    return statistic(vcpu, "exits");
}

static void reserve_huge_pages(u64 count)
{
    FILE *file = fopen("/proc/sys/vm/nr_hugepages", "w");
    EXPECT(file, "no /proc/sys/vm/nr_hugepages");
    fprintf(file, "%lu\n", count);
    fclose(file);
}

static u64 exits_with_hugetlb(void)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
    reserve_huge_pages(HUGE_TEST / HUGE);
    void *memory = mmap(NULL, HUGE_TEST, PROT_READ | PROT_WRITE, flags, -1, 0);
    EXPECT(memory != MAP_FAILED, "MAP_HUGETLB: %s", strerror(errno));
    u64 exits = exits_of_touching(memory);
    munmap(memory, HUGE_TEST);
    return exits;
}

static u64 exits_with_advice(int advice)
{
    void *memory = map_anonymous(HUGE_TEST);
    EXPECT(madvise(memory, HUGE_TEST, advice) == 0, "madvise: %s", strerror(errno));
    u64 exits = exits_of_touching(memory);
    munmap(memory, HUGE_TEST);
    return exits;
}

/* The G-stage maps a huge page of the host by one entry: a fault per 2 MiB, not per 4 KiB. The
 * kernel does so for hugetlbfs; for transparent huge pages not in every version. */
void check_huge_pages(void)
{
    u64 small = exits_with_advice(MADV_NOHUGEPAGE), huge = exits_with_advice(MADV_HUGEPAGE);
    u64 hugetlb = exits_with_hugetlb();
    fresh_vm(0);
    reserve_huge_pages(0);
    EXPECT(small >= HUGE_TEST / PAGE, "only %lu exits with small pages", small);
    EXPECT(hugetlb < small / 16, "%lu exits with hugetlbfs, %lu without", hugetlb, small);
    detail("exits: %lu by 4 KiB, %lu transparent, %lu hugetlbfs", small, huge, hugetlb);
}
