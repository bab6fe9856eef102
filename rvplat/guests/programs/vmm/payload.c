/* Runs in a guest of KVM, in VS mode: the guest's part of the checks. */
#include "../base.h"
#include "payload.h"

enum { SBI_PUTCHAR = 1, SBI_GETCHAR = 2, SBI_BASE = 0x10, SBI_TIME = 0x54494d45 };
enum { SBI_IPI = 0x735049, SBI_FENCE = 0x52464e43, SBI_HARTS = 0x48534d, SBI_RESET = 0x53525354 };
enum { SBI_CONSOLE = 0x4442434e };
enum { SSI = 1, STI = 5, SEI = 9 };
enum { ILLEGAL_INSTRUCTION = 2, BREAKPOINT = 3, LOAD_PAGE_FAULT = 13 };
#define PLIC 0x0c000000UL
#define SSTATUS_SIE 2UL
#define SSTATUS_FS (3UL << 13)
#define HART_STARTED 0
#define HART_STOPPED 1

struct result { s64 error; u64 value; };
static volatile u64 alarms, external, second_interrupts, second_ready, failed_line;
static volatile u64 expected_cause, taken_value;
static int by_stimecmp, measured;
static volatile u64 rang_at[8]; /* time, by hart: where alarms are measured; 0: not yet */

static u64 page_table[512] __attribute__((aligned(4096))) = {[2] = 2UL << 28 | 0xcf};

void second_start(void);
void load_floats(const u64 *values);
void store_floats(u64 *values);

static struct result sbi(u64 extension, u64 function, u64 first, u64 second, u64 third)
{
    register u64 a0 asm("a0") = first, a1 asm("a1") = second, a2 asm("a2") = third;
    register u64 a3 asm("a3") = 0x33, a4 asm("a4") = 0x44, a5 asm("a5") = 0x55;
    register u64 a6 asm("a6") = function, a7 asm("a7") = extension;
    asm volatile("ecall"
                 : "+r"(a0), "+r"(a1)
                 : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
                 : "memory");
    return (struct result){a0, a1};
}

/* Exits to the host, and returns its answer. */
static u64 step(u64 value) { return sbi(PAYLOAD_CALL, CALL_STEP, value, 0, 0).value; }

static void set_alarm(u64 time)
{
    if (by_stimecmp) csr_write(stimecmp, time);
    else sbi(SBI_TIME, 0, time, 0, 0);
}

static void take_external(void)
{
    u32 source = REG(u32, PLIC + 0x200004);
    if (source == PLIC_SOURCE) external++;
    step(source); /* the host lowers the line */
    REG(u32, PLIC + 0x200004) = source;
}

/* Called by trap_entry, which keeps the registers. */
__attribute__((used)) void payload_trap(void)
{
    u64 cause = csr_read(scause);
    if (cause == (1UL << 63 | STI) && measured) {
        rang_at[csr_read(sscratch)] = csr_read(time);
        set_alarm(~0UL);
    } else if (cause == (1UL << 63 | STI)) {
        alarms++;
        set_alarm(alarms < TIMER_ALARMS ? csr_read(time) + 10000 : ~0UL);
    } else if (cause == (1UL << 63 | SSI)) {
        csr_clear(sip, 1UL << SSI);
        second_interrupts++;
    } else if (cause == (1UL << 63 | SEI)) {
        take_external();
    } else if (cause == expected_cause) {
        expected_cause = ~0UL;
        taken_value = csr_read(stval);
        csr_write(sepc, csr_read(sepc) + 4);
    } else {
        sbi(PAYLOAD_CALL, CALL_DONE, FAILED | cause << 16, csr_read(sepc), csr_read(stval));
    }
}

static void take_interrupts(u64 which)
{
    csr_write(sie, which);
    csr_set(sstatus, SSTATUS_SIE);
}

/* The line of the first expectation that fails is the program's result. */
#define expect(right) do { if (!(right) && !failed_line) failed_line = __LINE__; } while (0)

static u64 see_rv64(void)
{
    u64 bits = 0;
    for (volatile u64 one = 1; one; one <<= 1) bits++;
    volatile s64 low = 0x7fffffff;
    expect((low + 1) >> 31 == 1);
    return bits;
}

/* Values that stay in the virtual CSRs, whatever the host does. */
static void keep_csrs(u64 seed)
{
    for (u64 round = 0; round < 16; round++) {
        u64 value = pattern(seed, round);
        csr_write(sscratch, value);
        csr_write(sepc, value & ~1UL);
        csr_write(scause, value & 0x1f);
        csr_write(stval, ~value);
        csr_write(sie, value & (1 << SSI | 1 << STI | 1 << SEI));
        step(round);
        expect(csr_read(sscratch) == value && csr_read(sepc) == (value & ~1UL));
        expect(csr_read(scause) == (value & 0x1f) && csr_read(stval) == ~value);
        expect(csr_read(sie) == (value & (1 << SSI | 1 << STI | 1 << SEI)));
    }
    csr_write(sie, 0);
}

static void keep_floats(u64 seed)
{
    static u64 wanted[4][32], got[4][32];
    u64 mine = seed & 3;
    csr_set(sstatus, SSTATUS_FS);
    for (u64 round = 0; round < 16; round++) {
        for (u64 i = 0; i < 32; i++) wanted[mine][i] = pattern(seed + round, i);
        load_floats(wanted[mine]);
        csr_write(fcsr, (seed + round) & 0x1f);
        step(round);
        store_floats(got[mine]);
        for (u64 i = 0; i < 32; i++) expect(wanted[mine][i] == got[mine][i]);
        expect(csr_read(fcsr) == ((seed + round) & 0x1f));
    }
    step(100); /* the host changes them */
    store_floats(got[mine]);
    for (u64 i = 0; i < 32; i++) expect(got[mine][i] == pattern(seed + 1000, i));
}

static void take_plic_interrupts(void)
{
    REG(u32, PLIC + 4 * PLIC_SOURCE) = 1;
    REG(u32, PLIC + 0x2000) = 1 << PLIC_SOURCE;
    REG(u32, PLIC + 0x200000) = 0;
    take_interrupts(1 << SEI);
    for (u64 round = 1; round <= 4; round++) {
        step(100); /* the host raises the line */
        while (external < round) { }
    }
    expect(external == 4);
}

/* Sleeps until `*flag` is at least `count`. WFI ends for pending interrupts even if they are off;
 * while they are off, none can be taken between the test of the flag and the WFI. */
static void wait_for(volatile u64 *flag, u64 count)
{
    while (*flag < count) {
        csr_clear(sstatus, SSTATUS_SIE);
        if (*flag < count) asm volatile("wfi");
        csr_set(sstatus, SSTATUS_SIE);
    }
}

static void take_alarms(void)
{
    u64 start = csr_read(time);
    set_alarm(start + 10000);
    take_interrupts(1 << STI);
    wait_for(&alarms, TIMER_ALARMS);
    expect(csr_read(time) - start >= TIMER_ALARMS * 10000);
}

/* Reports to the host how late each of many alarms was. Their distances are irregular. */
static void measure_alarms(u64 hart, u64 how)
{
    u64 random = hart + 1;
    by_stimecmp = measured = 1;
    csr_write(sscratch, hart);
    set_alarm(~0UL);
    take_interrupts(1 << STI);
    for (;;) {
        u64 due = csr_read(time) + 10000 + next_random(&random) % 10000;
        rang_at[hart] = 0;
        set_alarm(due);
        if (how == LATE_ASLEEP) wait_for(&rang_at[hart], 1);
        else while (!rang_at[hart]) if (how == LATE_PAUSING) asm volatile(".4byte 0x0100000f");
        step(rang_at[hart] - due);
    }
}

static void interrupt_second_hart(void)
{
    expect(sbi(SBI_HARTS, 2, 1, 0, 0).value == HART_STOPPED);
    expect(sbi(SBI_HARTS, 0, 1, (u64)second_start, 77).error == 0);
    while (!second_ready) { }
    for (u64 round = 1; round <= 8; round++) {
        expect(sbi(SBI_IPI, 0, 2, 0, 0).error == 0);
        while (second_interrupts < round) { }
    }
    expect(sbi(SBI_FENCE, 1, 2, 0, 0).error == 0); /* remote sfence.vma */
    expect(sbi(SBI_FENCE, 0, 2, 0, 0).error == 0); /* remote fence.i */
    second_ready = 2;
    while (sbi(SBI_HARTS, 2, 1, 0, 0).value != HART_STOPPED) sbi(SBI_IPI, 0, 2, 0, 0);
}

static void be_second_hart(u64 argument)
{
    expect(argument == 77);
    take_interrupts(1 << SSI);
    second_ready = 1;
    wait_for(&second_ready, 2);
    sbi(SBI_HARTS, 1, 0, 0, 0); /* stops; never returns */
}

static void store_and_load(u64 address)
{
    expect(REG(u64, address) == address);
    REG(u64, address + 8) = ~address;
    expect(REG(u64, address + 8) == ~address);
}

/* The host's answer is what memory must contain now; then the guest writes another value. */
static void watch_memory(void)
{
    for (u64 round = 0; round < 3; round++) {
        for (u64 i = 0; i < TEST_PAGES; i++) REG(u64, TEST_BASE + 4096 * i) = pattern(round, i);
        u64 now = step(round);
        for (u64 i = 0; i < TEST_PAGES; i++) expect(REG(u64, TEST_BASE + 4096 * i) == now);
    }
}

/* Writes and reads while pages come and go: a page contains what was written, or zeros. */
static void churn_memory(void)
{
    volatile u64 *stop = (volatile u64 *)(TEST_BASE + 4096 * TEST_PAGES);
    for (u64 round = 1; !*stop; round++) {
        for (u64 i = 0; i < TEST_PAGES; i++) {
            u64 page = TEST_BASE + 4096 * i, value = pattern(round, i);
            REG(u64, page) = value;
            u64 now = REG(u64, page);
            expect(now == value || now == 0);
        }
    }
}

static void dirty_pages(void)
{
    for (u64 round = 0; round < 3; round++) {
        for (u64 i = round; i < TEST_PAGES; i += round + 2) REG(u64, TEST_BASE + 4096 * i) = i;
        step(round);
    }
}

static u64 touch_pages(u64 count)
{
    u64 sum = 0;
    for (u64 i = 0; i < count; i++) {
        REG(u64, TEST_BASE + 4096 * i) = i;
        sum += REG(u64, TEST_BASE + 4096 * i);
    }
    return sum;
}

static u64 ask_sbi(u64 hart)
{
    u64 version = sbi(SBI_BASE, 0, 0, 0, 0).value;
    expect(version >> 24 >= 1);
    expect(sbi(SBI_BASE, 1, 0, 0, 0).value == 3); /* the implementation is KVM */
    const u64 there[] = {SBI_TIME, SBI_IPI, SBI_FENCE, SBI_HARTS, SBI_RESET, SBI_BASE};
    for (u32 i = 0; i < sizeof there / sizeof *there; i++) {
        expect(sbi(SBI_BASE, 3, there[i], 0, 0).value != 0);
    }
    expect(sbi(SBI_BASE, 3, 0x12345678, 0, 0).value == 0);
    expect(sbi(0x12345678, 0, 0, 0, 0).error == -2); /* not supported */
    expect(sbi(SBI_HARTS, 2, hart, 0, 0).value == HART_STARTED);
    expect(sbi(SBI_HARTS, 0, 63, 0, 0).error == -3); /* start: invalid parameter */
    return version >> 24;
}

static void forward_calls(void)
{
    static const char greeting[] = GREETING;
    u64 has_legacy = sbi(SBI_BASE, 3, SBI_PUTCHAR, 0, 0).value;
    step(has_legacy);
    if (has_legacy) {
        sbi(SBI_PUTCHAR, 0, 'K', 0, 0);
        expect(sbi(SBI_GETCHAR, 0, 0, 0, 0).error == 'V');
    }
    struct result result = sbi(SBI_CONSOLE, 0, sizeof greeting - 1, (u64)greeting, 0);
    expect(result.error == 0 && result.value == sizeof greeting - 1);
    result = sbi(PAYLOAD_CALL, 9, 0x11, 0x22, 0x2233);
    expect(result.error == -7 && result.value == 0x123456789abcdefUL);
    sbi(SBI_RESET, 0, 0, failed_line, 0);
}

static void write_events(void)
{
    for (u64 i = 0; i < 3; i++) REG(u32, EVENT_ADDRESS) = 7;
    REG(u32, EVENT_ADDRESS) = 8;
    REG(u32, EVENT_ADDRESS) = 7;
}

#define PROVOKE(cause, instruction)                                                \
    ({                                                                             \
        expected_cause = (cause);                                                  \
        asm volatile(".option push\n.option norvc\n" instruction "\n.option pop"   \
                     ::: "t0", "memory");                                          \
        expect(expected_cause == ~0UL);                                            \
    })

/* Exceptions that a layer between this guest and its hart has to forward to the guest. */
static void take_exceptions(void)
{
    PROVOKE(ILLEGAL_INSTRUCTION, ".4byte 0xffffffff");
    PROVOKE(ILLEGAL_INSTRUCTION, "csrr t0, mstatus");
    PROVOKE(ILLEGAL_INSTRUCTION, "csrr t0, hgatp");
    PROVOKE(BREAKPOINT, "ebreak");
    csr_write(satp, 8UL << 60 | (u64)page_table >> 12); /* Sv39: 2 GiB upwards as they are */
    asm volatile("sfence.vma" ::: "memory");
    PROVOKE(LOAD_PAGE_FAULT, "li t0, 0x12345000\nld t0, 8(t0)");
    csr_write(satp, 0);
    expect(taken_value == 0x12345008);
}

/* Returns the result of the work, or the line of an expectation that failed. */
__attribute__((used)) u64 payload_main(u64 hart, u64 payload, u64 argument)
{
    u64 result = 0;
    switch (payload) {
    case PAYLOAD_ADD: result = argument + 42; break;
    case PAYLOAD_RV64: result = see_rv64(); break;
    case PAYLOAD_CSRS: keep_csrs(argument); break;
    case PAYLOAD_FP: keep_floats(argument); break;
    case PAYLOAD_PLIC: take_plic_interrupts(); break;
    case PAYLOAD_STIMECMP: by_stimecmp = 1; take_alarms(); break;
    case PAYLOAD_TIMER: take_alarms(); break;
    case PAYLOAD_IPI: interrupt_second_hart(); break;
    case PAYLOAD_SECOND_HART: be_second_hart(argument); break;
    case PAYLOAD_STORE_LOAD: store_and_load(argument); break;
    case PAYLOAD_MEMORY: watch_memory(); break;
    case PAYLOAD_CHURN: churn_memory(); break;
    case PAYLOAD_DIRTY: dirty_pages(); break;
    case PAYLOAD_TOUCH: result = touch_pages(argument); break;
    case PAYLOAD_SBI: result = ask_sbi(hart); break;
    case PAYLOAD_FORWARD: forward_calls(); break;
    case PAYLOAD_TRAPS: take_exceptions(); break;
    case PAYLOAD_LATE: measure_alarms(hart, argument); break;
    case PAYLOAD_EVENTS: write_events(); break;
    }
    return failed_line ? FAILED | failed_line : result;
}
