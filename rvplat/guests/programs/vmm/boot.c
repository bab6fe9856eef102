/*
 * vmm boot KERNEL INITRD VCPUS MEGABYTES COMMAND-LINE: boots a plain Linux Image as a guest, which
 * has the terminal as its UART. The status is 0 if the guest has powered itself off.
 */
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_OFFSET (2 * MIB)
#define TREE_ROOM (64UL << 10)

static struct vm vm;
static struct termios terminal;
static int is_terminal;
static struct timespec started;

/* Reads a file into the guest's RAM; returns its size. */
static u64 load(const char *name, u64 offset, u64 limit)
{
    struct stat about;
    int file = open(name, O_RDONLY);
    if (file < 0 || fstat(file, &about) < 0) die("%s: %s", name, strerror(errno));
    u64 size = about.st_size, done = 0;
    if (offset + size > limit) die("%s doesn't fit into the guest's memory", name);
    while (done < size) {
        s64 got = read(file, vm.ram + offset + done, size - done);
        if (got <= 0) die("%s: %s", name, got ? strerror(errno) : "is shorter than it was");
        done += got;
    }
    close(file);
    return size;
}

static u64 file_size(const char *name)
{
    struct stat about;
    if (stat(name, &about) < 0) die("%s: %s", name, strerror(errno));
    return about.st_size;
}

static void restore_terminal(void)
{
    if (is_terminal) tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
}

static void *feed_uart(void *unused)
{
    u8 byte;
    while (read(STDIN_FILENO, &byte, 1) == 1) uart_receive(byte);
    return unused;
}

static void begin_input(void)
{
    pthread_t thread;
    is_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
    if (is_terminal) {
        struct termios raw = terminal;
        cfmakeraw(&raw);
        raw.c_oflag |= OPOST; /* our own lines */
        atexit(restore_terminal);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    pthread_create(&thread, NULL, feed_uart, NULL);
}

/* Prints that the guest has ended, and ends all threads. */
__attribute__((noreturn)) static void finish(const char *how, int status)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    s64 ms = (now.tv_sec - started.tv_sec) * 1000 + (now.tv_nsec - started.tv_nsec) / 1000000;
    printf("vmm: the guest %s after %ld ms; %lu MMIO exits, %lu SBI exits\n", how, ms,
           vm.mmio_exits, vm.sbi_exits);
    exit(status);
}

static void take_exit(struct vcpu *vcpu, int reason)
{
    struct kvm_run *run = vcpu->run;
    switch (reason) {
    case KVM_EXIT_INTR: break;
    case KVM_EXIT_RISCV_SBI: take_sbi_exit(vcpu); break;
    case KVM_EXIT_MMIO:
        vm.mmio_exits++;
        if (!device_access(run->mmio.phys_addr, run->mmio.data, run->mmio.len,
                           run->mmio.is_write))
            die("the guest accesses %#llx, where nothing is", run->mmio.phys_addr);
        break;
    case KVM_EXIT_SYSTEM_EVENT:
        if (run->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN) finish("has powered off", 0);
        finish("has reset itself", 1);
    default:
        die("vCPU %u at %#lx: KVM says %d", vcpu->number, get_reg(vcpu, CORE(regs.pc)), reason);
    }
}

static void *run(void *of)
{
    struct vcpu *vcpu = of;
    for (;;) take_exit(vcpu, run_vcpu(vcpu));
    return NULL;
}

/* The kernel, the initial file system at the end of RAM, and between them the device tree. */
static void load_guest(const char *kernel, const char *initrd, const char *append)
{
    u64 size = file_size(initrd), at = (vm.ram_size - size) & ~(u64)0xfff, tree = at - TREE_ROOM;
    if (size + TREE_ROOM + KERNEL_OFFSET > vm.ram_size)
        die("%lu MiB are too few for a guest", vm.ram_size / MIB);
    load(kernel, KERNEL_OFFSET, tree);
    load(initrd, at, vm.ram_size);
    build_device_tree(&vm.vcpus[0], vm.ram + tree, append, RAM_BASE + at, RAM_BASE + at + size);
    set_reg(&vm.vcpus[0], CORE(regs.pc), RAM_BASE + KERNEL_OFFSET);
    set_reg(&vm.vcpus[0], CORE(regs.a0), 0);
    set_reg(&vm.vcpus[0], CORE(regs.a1), RAM_BASE + tree);
}

int boot(int count, char **words)
{
    if (count != 5) die("boot KERNEL INITRD VCPUS MEGABYTES COMMAND-LINE");
    int vcpus = atoi(words[2]), megabytes = atoi(words[3]);
    if (vcpus < 1 || vcpus > MAX_VCPUS) die("%s virtual CPUs: 1 to %d", words[2], MAX_VCPUS);
    if (megabytes < 64) die("%s MiB of memory: 64 at least", words[3]);
    vm_create(&vm);
    add_ram(&vm, megabytes * MIB);
    u64 yes = 1;
    for (int i = 0; i < vcpus; i++) try_set(add_vcpu(&vm), SBI(DBCN), &yes);
    devices_reset(&vm);
    clock_gettime(CLOCK_MONOTONIC, &started);
    load_guest(words[0], words[1], words[4]);
    printf("vmm: a guest with %d virtual CPUs and %d MiB\n", vcpus, megabytes);
    fflush(stdout);
    begin_input();
    for (int i = 1; i < vcpus; i++) {
        pthread_create(&vm.vcpus[i].thread, NULL, run, &vm.vcpus[i]);
    }
    run(&vm.vcpus[0]);
    return 0;
}
