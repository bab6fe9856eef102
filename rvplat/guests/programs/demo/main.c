/*
 * The demo guest: M mode hands over to S mode at once, which says what machine it is on, takes
 * interrupts of the timer and of the UART, turns paging on, calculates, and powers it off.
 */

/* Until the device tree says where they are: */
static unsigned long uart_base = 0x10000000, test_base = 0x100000;
#define UART_BASE uart_base
#define TEST_BASE test_base
#include "devicetree.h"
#include "../print.h"

#define ALARMS 5
#define ALARM_MS 40
#define CALCULATION_MS 600
#define LIMIT 100000                       /* primes up to here */
#define HIGH_ADDRESS 0x1000000000UL        /* entry 64 of the root page table */
#define UNMAPPED_ADDRESS 0x2000000000UL

enum { MCR_LOOPBACK = 0x10, IER_RECEIVED = 1, LSR_READY = 1, LSR_EMPTY = 0x40 };
enum { V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };
enum { SSI = 1, STI = 5, SEI = 9, LOAD_PAGE_FAULT = 13 };

u64 mtimecmp; /* read by machine_trap */
void machine_trap(void);
void supervisor_trap(void);

static struct machine machine = {.model = "(not said)", .isa = "(not said)", .mmu = "(not said)"};
static u64 machine_stack[16];
static volatile u32 alarms, faults, received_interrupt;
static volatile u64 latest_us, fault_address;
static volatile char received;
static u64 root[512] __attribute__((aligned(4096))), middle[512] __attribute__((aligned(4096))),
    leaf[512] __attribute__((aligned(4096))), page[512] __attribute__((aligned(4096)));
static u8 composite[LIMIT];

/* The ISA string, broken at an underscore where it would be too long for a line. */
static void say_isa(const char *isa)
{
    for (int column = 14; *isa; isa++) {
        int word = 1;
        while (isa[word] && isa[word] != '_') word++;
        if (*isa == '_' && column + word > 96) {
            put_string("\n              ");
            column = 14;
        }
        put_char(*isa);
        column++;
    }
}

static u64 microseconds(u64 ticks) { return ticks * 1000000 / machine.timebase_hz; }
static u64 after_ms(u64 start, u64 ms) { return start + ms * machine.timebase_hz / 1000; }

/* Ask M mode for the supervisor's timer interrupt at that time. */
static void set_alarm(u64 time)
{
    register u64 a0 asm("a0") = time;
    asm volatile("ecall" : "+r"(a0)::"memory");
}

/* Sleep until `*flag` is at least `count`. WFI wakes for what is pending, interrupts on or off. */
static void wait_for(volatile u32 *flag, u32 count)
{
    while (*flag < count) {
        csr_clear(sstatus, 2);
        if (*flag < count) asm volatile("wfi");
        csr_set(sstatus, 2);
    }
}

static u64 next_alarm;

static void take_alarm(void)
{
    u64 late = microseconds(rdtime() - next_alarm);
    if (late > latest_us) latest_us = late;
    alarms++;
    next_alarm = after_ms(next_alarm, ALARM_MS);
    set_alarm(alarms < ALARMS ? next_alarm : ~0UL);
}

/* PLIC specification 1.0: claim and complete are one register of the context. */
static void take_external(void)
{
    u64 claim_address = machine.plic + 0x200004 + 0x1000 * machine.plic_context;
    u32 source = REG(u32, claim_address);
    if (source == machine.uart_interrupt && (REG(u8, uart_base + 5) & LSR_READY)) {
        received = REG(u8, uart_base);
        received_interrupt++;
    }
    REG(u32, claim_address) = source;
}

/* Called by supervisor_trap; gives the address where to go on. */
u64 take_trap(u64 cause, u64 pc, u64 value)
{
    if ((s64)cause < 0) {
        if ((cause << 1 >> 1) == STI) take_alarm();
        else take_external();
        return pc;
    }
    if (cause != LOAD_PAGE_FAULT || value != UNMAPPED_ADDRESS) unexpected_trap(cause, pc, value);
    faults++;
    fault_address = value;
    return pc + 4; /* after the load, which is not compressed */
}

static void show_machine(u64 hart)
{
    const struct machine *m = &machine;
    print("rvplat demo: a RISC-V machine in supervisor mode\nThe device tree says:\n");
    print("  model       %s\n", m->model);
    print("  harts       %d, started on number %d, mmu %s\n", m->harts, hart, m->mmu);
    print("  isa         "), say_isa(m->isa);
    print("\n  memory      %d MiB at %x\n", m->memory_size >> 20, m->memory);
    print("  uart        %s at %x, ", m->uart_model, m->uart);
    print("interrupt %d of the PLIC at %x\n", m->uart_interrupt, m->plic);
    print("  clock       %d kHz\n", m->timebase_hz / 1000);
}

static void show_timer(void)
{
    next_alarm = after_ms(rdtime(), ALARM_MS);
    set_alarm(next_alarm);
    wait_for(&alarms, ALARMS);
    print("  timer       %d interrupts, one each %d ms, at most %d us late\n",
          (u64)alarms, (u64)ALARM_MS, latest_us);
}

/* PLIC specification 1.0: priority, enable bit and the context's threshold. */
static void enable_interrupt(u64 source)
{
    u64 enables = machine.plic + 0x2000 + 0x80 * machine.plic_context;
    REG(u32, machine.plic + 4 * source) = 1;
    REG(u32, enables + source / 32 * 4) = 1U << source % 32;
    REG(u32, machine.plic + 0x200000 + 0x1000 * machine.plic_context) = 0;
}

/* The UART sends a byte to itself: in loopback mode the transmitter feeds the receiver. */
static void show_uart(void)
{
    enable_interrupt(machine.uart_interrupt);
    while ((REG(u8, uart_base + 5) & LSR_EMPTY) == 0) { }
    REG(u8, uart_base + 4) = MCR_LOOPBACK;
    REG(u8, uart_base + 1) = IER_RECEIVED;
    REG(u8, uart_base) = 'R';
    wait_for(&received_interrupt, 1);
    REG(u8, uart_base + 1) = 0;
    REG(u8, uart_base + 4) = 0;
    print("  uart        typed a byte to itself: the PLIC brought interrupt %d and the byte '%c'\n",
          machine.uart_interrupt, received);
}

static u64 entry(const void *to, u64 flags) { return (u64)to >> 12 << 10 | flags; }

/* Four bytes, so that take_trap knows where the next instruction is. */
static void load_uncompressed(u64 address)
{
    asm volatile(".option push\n.option norvc\nld zero, 0(%0)\n.option pop" ::"r"(address));
}

/* Sv39: the first 4 GiB as they are, and one page a second time, high up. */
static void show_paging(void)
{
    for (u64 i = 0; i < 4; i++) root[i] = i << 28 | V | R | W | X | A | D;
    root[HIGH_ADDRESS >> 30] = entry(middle, V);
    middle[0] = entry(leaf, V);
    leaf[0] = entry(page, V | R | W | A | D);
    csr_write(satp, 8UL << 60 | (u64)root >> 12);
    asm volatile("sfence.vma" ::: "memory");
    REG(u64, HIGH_ADDRESS) = 0x5256;
    if (REG(u64, page) != 0x5256) power_off_with(4);
    print("  paging      Sv39 is on; a store at %x is seen at %x\n", HIGH_ADDRESS, page);
    load_uncompressed(UNMAPPED_ADDRESS);
    if (faults != 1) power_off_with(4);
    print("  fault       a load from %x trapped, as it must\n", fault_address);
}

static u64 count_primes(void)
{
    u64 count = 0;
    for (u64 i = 0; i < LIMIT; i++) composite[i] = 0;
    for (u64 i = 2; i < LIMIT; i++) {
        if (composite[i]) continue;
        count++;
        for (u64 j = i * i; j < LIMIT; j += i) composite[j] = 1;
    }
    return count;
}

static void show_speed(void)
{
    u64 instret = rdinstret(), time = rdtime(), end = after_ms(time, CALCULATION_MS);
    u64 primes, rounds = 0;
    do primes = count_primes(), rounds++; while (rdtime() < end);
    instret = rdinstret() - instret;
    time = microseconds(rdtime() - time);
    print("  primes      %d below %d, counted %d times\n", primes, (u64)LIMIT, rounds);
    print("  speed       %d million instructions in %d ms: %d million a second\n",
          instret / 1000000, time / 1000, instret / time);
    if (primes != 9592) power_off_with(5);
}

static void supervisor(u64 hart)
{
    csr_write(stvec, supervisor_trap);
    csr_write(sie, 1UL << STI | 1UL << SEI);
    csr_set(sstatus, 2); /* SIE */
    show_machine(hart);
    print("Running:\n");
    show_timer();
    show_uart();
    show_paging();
    show_speed();
    print("Powering off.\n");
}

int main(u64 hart, const u8 *tree)
{
    if (!read_device_tree(tree, &machine) || !machine.uart || !machine.plic || !machine.clint
        || !machine.timebase_hz) {
        put_string("no device tree with a uart, plic, clint and timebase in a1\n");
        return 1;
    }
    uart_base = machine.uart;
    if (machine.test) test_base = machine.test;
    mtimecmp = machine.clint + 0x4000 + 8 * hart;
    csr_write(mtvec, machine_trap);
    csr_write(mscratch, machine_stack + sizeof machine_stack / sizeof *machine_stack);
    csr_write(medeleg, 0xb1ff & ~(1 << 9)); /* all exceptions but the call from S */
    csr_write(mideleg, 1 << SSI | 1 << STI | 1 << SEI);
    to_supervisor();
    supervisor(hart);
    return 0;
}
