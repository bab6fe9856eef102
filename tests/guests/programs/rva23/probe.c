/* Prints what Linux says of the machine, a line each: "hwprobe KEY VALUE" in hexadecimal, and, if there
   is a /dev/kvm, "kvm NUMBER VALUE" for each extension that a guest may have (an ISA_EXT register
   of KVM_GET_ONE_REG): 1 or 0, or a negative number, which is an error. */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { HWPROBE = 258, KEYS = 10, MANY = 128 };

static void extensions_of_a_guest(int kvm) {
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    for (uint64_t number = 0; number < MANY; number++) {
        uint64_t value = 0;
        uint64_t id = KVM_REG_RISCV | KVM_REG_SIZE_U64 | KVM_REG_RISCV_ISA_EXT | number;
        struct kvm_one_reg one = {id, (uintptr_t)&value};
        int result = ioctl(vcpu, KVM_GET_ONE_REG, &one);
        printf("kvm %u %d\n", (unsigned)number, result < 0 ? -errno : (int)value);
    }
}

int main(void) {
    struct { int64_t key; uint64_t value; } pairs[KEYS];
    for (int i = 0; i < KEYS; i++) pairs[i].key = i;
    if (syscall(HWPROBE, pairs, KEYS, 0, NULL, 0)) perror("hwprobe");
    for (int i = 0; i < KEYS; i++)
        printf("hwprobe %llx %llx\n", (unsigned long long)pairs[i].key,
               (unsigned long long)pairs[i].value);
    int kvm = open("/dev/kvm", O_RDWR);
    if (kvm >= 0) extensions_of_a_guest(kvm);
    return 0;
}
