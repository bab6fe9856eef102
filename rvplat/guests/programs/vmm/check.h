/* Declarations that the parts of `vmm check` share. */
#ifndef CHECK_H
#define CHECK_H

#include "payload.h"
#include "vmm.h"

#define ADD_TO_REGISTERS (RAM_BASE + 0x1000) /* payload_start.S */
#define PAYLOAD_RAM (2 * MIB)

/* check.c: a new machine for a check, with the payload in its RAM; it replaces the last one. */
struct vm *fresh_vm(u32 vcpus);
void start(struct vcpu *vcpu, enum payload payload, u64 argument);
/* Runs until the guest makes this call, and returns its value. Every other exit to user space is a
 * failure, except accesses to the emulated PLIC. */
u64 run_to_call(struct vcpu *vcpu, u64 call);
void answer(struct vcpu *vcpu, u64 value);
void run_to_done(struct vcpu *vcpu); /* and its result must be 0 */
void set_deadline(u32 seconds); /* for KVM_RUN, which then gives KVM_EXIT_INTR; 0: none */
void be_real_time(int priority); /* the thread; 0: no longer, as every trial begins */
void add_test_memory(struct vm *vm, void *memory, u64 size, u32 flags);
__attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...);
__attribute__((format(printf, 1, 2))) void detail(const char *format, ...);
#define EXPECT(right, ...) do { if (!(right)) fail(__VA_ARGS__); } while (0)

/* A thread that runs a vCPU until it is done, or stopped; a result as run_to_call gives it. */
void run_in_thread(struct vcpu *vcpu);
u64 join_thread(struct vcpu *vcpu);
void stop_thread(struct vcpu *vcpu);

/* check_cpu.c */
void check_generic_ioctls(void), check_world_switch(void), check_rv64(void);
void check_vcpu_get_put(void), check_one_reg(void), check_fp(void), check_traps(void);
/* check_io.c */
void check_plic(void), check_timer_and_ipi(void), check_sbi(void), check_forwarded_sbi(void);
void check_ioeventfd(void);
/* check_late.c */
void check_lateness(void);
/* check_memory.c */
void check_gstage_modes(void), check_mmu_notifiers(void), check_dirty_log(void);
void check_huge_pages(void);

#endif
