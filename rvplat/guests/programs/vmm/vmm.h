/*
 * A small virtual machine monitor for Linux's KVM on RISC-V: the declarations that its parts share.
 * Linux, Documentation/virt/kvm/api.rst.
 */
#ifndef VMM_H
#define VMM_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t s64;

#define RAM_BASE 0x80000000UL
#define MAX_VCPUS 8
#define MIB (1UL << 20)

enum { PLIC_BASE = 0x0c000000, PLIC_SIZE = 0x600000, UART_BASE = 0x10000000, UART_SIZE = 0x100 };
enum { UART_SOURCE = 10, PLIC_SOURCES = 32 };

struct vcpu {
    struct vm *vm;
    struct kvm_run *run;
    int fd;
    u32 number;
    pthread_t thread;
};

struct vm {
    int kvm, fd;
    u8 *ram;
    u64 ram_size;
    u32 vcpu_count, next_slot;
    size_t run_size;
    struct vcpu vcpus[MAX_VCPUS];
    u64 sbi_exits, mmio_exits; /* those that came to user space */
};

/* kvm.c: a virtual machine and its registers. An error that is not expected ends the program. */
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
void vm_create(struct vm *vm);
void vm_destroy(struct vm *vm);
void *map_anonymous(u64 size);
int set_memory(struct vm *vm, u32 slot, u32 flags, u64 guest_physical, u64 size, void *memory);
void add_ram(struct vm *vm, u64 size);
struct vcpu *add_vcpu(struct vm *vm);
u8 *guest_memory(struct vm *vm, u64 guest_physical, u64 size);
int run_vcpu(struct vcpu *vcpu);
int try_get(struct vcpu *vcpu, u64 id, void *value);
int try_set(struct vcpu *vcpu, u64 id, const void *value);
u64 get_reg(struct vcpu *vcpu, u64 id);
void set_reg(struct vcpu *vcpu, u64 id, u64 value);
void interrupt_line(struct vcpu *vcpu, int level);

#define REG_ULONG(kind, index) (KVM_REG_RISCV | KVM_REG_SIZE_U64 | (kind) | (index))
#define REG_U64(kind, index) REG_ULONG(kind, index)
#define CORE(name) REG_ULONG(KVM_REG_RISCV_CORE, KVM_REG_RISCV_CORE_REG(name))
#define GPR(number) REG_ULONG(KVM_REG_RISCV_CORE, number) /* 0 is pc, n is x[n] */
#define CSR(name) REG_ULONG(KVM_REG_RISCV_CSR, KVM_REG_RISCV_CSR_REG(name))
#define CONFIG(name) REG_ULONG(KVM_REG_RISCV_CONFIG, KVM_REG_RISCV_CONFIG_REG(name))
#define TIMER(name) REG_U64(KVM_REG_RISCV_TIMER, KVM_REG_RISCV_TIMER_REG(name))
#define ISA(name) REG_ULONG(KVM_REG_RISCV_ISA_EXT, KVM_RISCV_ISA_EXT_##name)
#define SBI(name) REG_ULONG(KVM_REG_RISCV_SBI_EXT, KVM_RISCV_SBI_EXT_##name)

/* devices.c: an interrupt controller and a UART, both emulated here in user space. */
void devices_reset(struct vm *vm);
void plic_set_line(u32 source, int level);
void uart_receive(u8 byte);
int device_access(u64 address, u8 *data, u32 size, int is_write); /* 0: nothing is there */

/* sbi.c: the calls of the SBI that KVM leaves to user space. */
void take_sbi_exit(struct vcpu *vcpu);

/* devicetree.c */
u64 build_device_tree(struct vcpu *first, void *place, const char *append, u64 initrd, u64 end);

/* boot.c, check.c: the two things that this program does. */
int boot(int count, char **words);
int check(char **names);

#endif
