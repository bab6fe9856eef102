/* A virtual machine by KVM's generic ioctls; RISC-V needs no other. */
#include "vmm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE (2 * MIB)

void die(const char *format, ...)
{
    va_list arguments;
    fflush(stdout);
    va_start(arguments, format);
    fputs("vmm: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
    exit(2);
}

static int must(int result, const char *what)
{
    if (result < 0) die("%s: %s", what, strerror(errno));
    return result;
}

void vm_create(struct vm *vm)
{
    memset(vm, 0, sizeof *vm);
    vm->kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "/dev/kvm");
    if (ioctl(vm->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) die("another version of KVM");
    vm->fd = must(ioctl(vm->kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
    vm->run_size = must(ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
}

void vm_destroy(struct vm *vm)
{
    for (u32 i = 0; i < vm->vcpu_count; i++) {
        munmap(vm->vcpus[i].run, vm->run_size);
        close(vm->vcpus[i].fd);
    }
    close(vm->fd);
    close(vm->kvm);
    if (vm->ram) munmap(vm->ram, vm->ram_size);
}

/* Memory that begins where a huge page can. */
void *map_anonymous(u64 size)
{
    u64 room = size + HUGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    u8 *got = mmap(NULL, room, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (got == MAP_FAILED) die("no memory for a guest: %s", strerror(errno));
    u8 *start = (u8 *)(((u64)got + HUGE - 1) & ~(HUGE - 1));
    if (start > got) munmap(got, start - got);
    munmap(start + size, got + room - (start + size));
    return start;
}

int set_memory(struct vm *vm, u32 slot, u32 flags, u64 guest_physical, u64 size, void *memory)
{
    struct kvm_userspace_memory_region region = {
        .slot = slot, .flags = flags, .guest_phys_addr = guest_physical, .memory_size = size,
        .userspace_addr = (u64)memory,
    };
    return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno : 0;
}

void add_ram(struct vm *vm, u64 size)
{
    vm->ram = map_anonymous(size);
    vm->ram_size = size;
    errno = -set_memory(vm, vm->next_slot++, 0, RAM_BASE, size, vm->ram);
    if (errno) die("KVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
}

struct vcpu *add_vcpu(struct vm *vm)
{
    if (vm->vcpu_count == MAX_VCPUS) die("at most %d virtual CPUs", MAX_VCPUS);
    struct vcpu *vcpu = &vm->vcpus[vm->vcpu_count];
    vcpu->vm = vm;
    vcpu->number = vm->vcpu_count++;
    vcpu->fd = must(ioctl(vm->fd, KVM_CREATE_VCPU, (u64)vcpu->number), "KVM_CREATE_VCPU");
    vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
    if (vcpu->run == MAP_FAILED) die("mmap of a vCPU: %s", strerror(errno));
    return vcpu;
}

/* The address here of a range of the guest's RAM; NULL if not all of the range is RAM. */
u8 *guest_memory(struct vm *vm, u64 guest_physical, u64 size)
{
    u64 offset = guest_physical - RAM_BASE;
    if (offset > vm->ram_size || size > vm->ram_size - offset) return NULL;
    return vm->ram + offset;
}

/* Runs until KVM returns to user space: KVM_EXIT_..., or -errno. */
int run_vcpu(struct vcpu *vcpu)
{
    if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) return errno == EINTR ? KVM_EXIT_INTR : -errno;
    return vcpu->run->exit_reason;
}

int try_get(struct vcpu *vcpu, u64 id, void *value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (u64)value};
    return ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg) < 0 ? -errno : 0;
}

int try_set(struct vcpu *vcpu, u64 id, const void *value)
{
    struct kvm_one_reg reg = {.id = id, .addr = (u64)value};
    return ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg) < 0 ? -errno : 0;
}

u64 get_reg(struct vcpu *vcpu, u64 id)
{
    u64 value = 0;
    int error = try_get(vcpu, id, &value);
    if (error) die("register %#lx cannot be read: %s", id, strerror(-error));
    return value;
}

void set_reg(struct vcpu *vcpu, u64 id, u64 value)
{
    int error = try_set(vcpu, id, &value);
    if (error) die("register %#lx cannot be written: %s", id, strerror(-error));
}

/* The vCPU's external interrupt. Any thread may do this. */
void interrupt_line(struct vcpu *vcpu, int level)
{
    struct kvm_interrupt interrupt = {.irq = level ? KVM_INTERRUPT_SET : KVM_INTERRUPT_UNSET};
    must(ioctl(vcpu->fd, KVM_INTERRUPT, &interrupt), "KVM_INTERRUPT");
}
