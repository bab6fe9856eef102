/* What every guest program of ours needs: types, registers, numbers that look random. */
#ifndef BASE_H
#define BASE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef signed int s32;
typedef signed long s64;

#define BIG __attribute__((section(".big"), aligned(4096))) /* an array that crt0.S doesn't clear */
#define NOINLINE __attribute__((noinline))
#define REG(type, address) (*(volatile type *)(address))

#define csr_read(name) ({ u64 v_; asm volatile("csrr %0, " #name : "=r"(v_)); v_; })
#define csr_write(name, value) asm volatile("csrw " #name ", %0" ::"r"((u64)(value)) : "memory")
#define csr_set(name, value) asm volatile("csrs " #name ", %0" ::"r"((u64)(value)) : "memory")
#define csr_clear(name, value) asm volatile("csrc " #name ", %0" ::"r"((u64)(value)) : "memory")

/* Numbers that look random: xorshift64 (Marsaglia, 2003). */
static inline u64 next_random(u64 *state)
{
    u64 x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#endif
