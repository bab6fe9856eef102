/*
 * The demo hypervisor: runs two guests in VS mode, each in its own Sv39x4 address space, by turns.
 * It shows what they print, serves their SBI calls, emulates a UART, refuses what they have no
 * right to, and in the end counts why they came back to it.
 * The RISC-V Instruction Set Manual, Volume II: Hypervisor Extension, Version 1.0.
 */

/* Until the device tree says where they are: */
static unsigned long uart_base = 0x10000000, test_base = 0x100000;
#define UART_BASE uart_base
#define TEST_BASE test_base
#include "exits.h"

#define SLICE_MS 5
#define BREACHES 5 /* what the guest `sort` tries */
#define MISA_H (1UL << 7)
#define VMIDS (0x3fffUL << 44)
#define STCE (1UL << 63)

enum { SSI = 1, STI = 5, SEI = 9, VSSI = 2, VSTI = 6, VSEI = 10 };

void allow_state(void);
void host_trap(void);

static struct machine machine;

/* The guest takes its own system calls, page faults and mistakes; accesses that no stage
 * translates, SBI calls and what only a hypervisor may do come here. */
static void become_hypervisor(void)
{
    csr_write(stvec, host_trap);
    csr_write(hedeleg, 1 << 0 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 8 | 1 << 12 | 1 << 13
                       | 1 << 15);
    csr_write(hideleg, 1 << VSSI | 1 << VSTI | 1 << VSEI);
    csr_write(hcounteren, 7);
    csr_write(henvcfg, STCE); /* guests have a stimecmp of their own */
    csr_write(sie, 1 << STI);
    csr_write(hgatp, SV39X4 | VMIDS);
    have_vmids = (csr_read(hgatp) & VMIDS) != 0;
    csr_write(hgatp, 0);
    forget_all_guests();
}

static u64 after_ms(u64 ms) { return rdtime() + ms * machine.timebase_hz / 1000; }

/* When a waiting guest's own timer is due, by the host's clock. Its CSRs are in its record. */
static u64 alarm_of(const struct guest *guest)
{
    if (!(guest->vsie & 1 << STI) || guest->vstimecmp == ~0UL) return ~0UL;
    return guest->vstimecmp - guest->htimedelta;
}

static int may_run(struct guest *guest)
{
    int interrupted = (guest->hvip >> 1 & guest->vsie) || rdtime() >= alarm_of(guest);
    if (guest->state == WAITING && interrupted) guest->state = RUNNING;
    return guest->state == RUNNING;
}

static void sleep_until(u64 time)
{
    if (time == ~0UL) {
        print("hypervisor: every guest waits, and for nothing\n");
        power_off(4);
    }
    csr_write(stimecmp, time);
    asm volatile("wfi"); /* wakes for what is enabled in sie, though sstatus.SIE is 0 */
}

/* A guest runs until its time is over, or until it waits or ends. */
static void run_slice(struct guest *guest)
{
    u64 end = after_ms(SLICE_MS);
    switch_to(guest);
    csr_write(stimecmp, end);
    while (guest->state == RUNNING && rdtime() < end) {
        run_guest(guest);
        take_exit(guest);
    }
}

/* Takes the guests' CSRs out of the hart, so that all records are up to date. */
static void leave_all(void)
{
    static struct guest nobody;
    switch_to(&nobody);
    on_hart = 0;
}

static int all_ended(void)
{
    for (u32 i = 0; i < GUESTS; i++) {
        if (guests[i].state != ENDED) return 0;
    }
    return 1;
}

static void run_all(void)
{
    while (!all_ended()) {
        u64 alarm = ~0UL;
        u32 ran = 0;
        for (u32 i = 0; i < GUESTS; i++) {
            if (may_run(&guests[i])) run_slice(&guests[i]), leave_all(), ran++;
            else if (guests[i].state == WAITING && alarm_of(&guests[i]) < alarm)
                alarm = alarm_of(&guests[i]);
        }
        if (!ran) sleep_until(alarm);
    }
}

/* Text, then a number for each guest, in columns. */
static void put_row(const char *what, u64 first, u64 second)
{
    const u64 values[GUESTS] = {first, second};
    u64 width = 36;
    put_string("  ");
    for (; *what; width--) put_char(*what++);
    for (u32 i = 0; i < GUESTS; i++, width = 4) {
        for (u64 limit = 1000000; limit > values[i] && limit > 1; limit /= 10) width++;
        for (; width; width--) put_char(' ');
        put_number(values[i], 10);
    }
    put_string("\n");
}

static void show_summary(void)
{
    const struct guest *first = &guests[0], *second = &guests[1];
    const char *const names[CAUSES] = {
        [VIRTUAL_SUPERVISOR_CALL] = "ecall from VS mode",
        [FETCH_GUEST_PAGE_FAULT] = "guest page fault, fetch",
        [LOAD_GUEST_PAGE_FAULT] = "guest page fault, load",
        [VIRTUAL_INSTRUCTION] = "virtual instruction",
        [STORE_GUEST_PAGE_FAULT] = "guest page fault, store",
    };
    print("Exits by cause                       fibonacci       sort\n");
    for (u32 cause = 0; cause < CAUSES; cause++) {
        if (names[cause]) put_row(names[cause], first->exits[cause], second->exits[cause]);
    }
    put_row("interrupt: its time slice is over", first->interrupts, second->interrupts);
    print("UART accesses                        %d told by htinst, %d read by HLVX\n",
          told_by_htinst, read_by_hlvx);
}

static void hypervisor(void)
{
    become_hypervisor();
    print("rvplat hypervisor: in HS mode, %s VMIDs, time slices of %d ms\n",
          have_vmids ? "with" : "without", (u64)SLICE_MS);
    create_guest(0, "fibonacci", fibonacci_image);
    create_guest(1, "sort", sort_image);
    for (u32 i = 0; i < GUESTS; i++) {
        print("  guest %d, %s: %d KiB at guest-physical %x, hgatp %x\n", (u64)i + 1, guests[i].name,
              GUEST_PAGES * PAGE >> 10, GUEST_RAM, guests[i].hgatp);
    }
    run_all();
    show_summary();
    print("%d breaches were refused. Powering off.\n", breaches);
    if (breaches != BREACHES) power_off(5);
}

int main(u64 hart, const u8 *tree)
{
    (void)hart;
    if (!read_device_tree(tree, &machine) || !machine.uart || !machine.timebase_hz) {
        put_string("no device tree with a uart and a timebase in a1\n");
        return 1;
    }
    uart_base = machine.uart;
    if (machine.test) test_base = machine.test;
    if (!(csr_read(misa) & MISA_H)) {
        put_string("this hart has no hypervisor extension (misa.H is 0)\n");
        return 3;
    }
    csr_write(menvcfg, STCE);
    if (!(csr_read(menvcfg) & STCE)) {
        put_string("this hart has no stimecmp (extension Sstc)\n");
        return 3;
    }
    allow_state();
    csr_write(medeleg, 0xf0b5ff & ~(1 << 9)); /* all exceptions but the call from HS mode */
    csr_write(mideleg, 1 << SSI | 1 << STI | 1 << SEI);
    to_supervisor();
    hypervisor();
    return 0;
}
