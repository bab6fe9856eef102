/*
 * Why a guest came back to the hypervisor, and what the hypervisor does about it: SBI calls, an
 * emulated UART, WFI, and what a guest has no right to. All of it is about the guest on the hart.
 */
#ifndef EXITS_H
#define EXITS_H

#include "guests.h"

enum {
    VIRTUAL_SUPERVISOR_CALL = 10,
    FETCH_GUEST_PAGE_FAULT = 20,
    LOAD_GUEST_PAGE_FAULT,
    VIRTUAL_INSTRUCTION,
    STORE_GUEST_PAGE_FAULT,
};
enum { ILLEGAL_INSTRUCTION = 2, FETCH_ACCESS = 1, LOAD_ACCESS = 5, STORE_ACCESS = 7 };
enum { VSSIP = 1 << 2, VSEIP = 1 << 10 };
enum { GUEST_UART = 0x10000000, THR = 0, IER = 1, IIR = 2, LSR = 5 };
enum { IER_EMPTY = 2, IIR_NONE = 1, IIR_EMPTY = 2, LSR_EMPTY = 0x60 };
#define WFI 0x10500073

/* Hypervisor Extension, transformed instructions: bit 1 tells the length of what trapped. */
struct access { u32 is_store, size, reg, length; };

static u64 breaches, told_by_htinst, read_by_hlvx;

/* A guest's text is printed by whole lines, with its name before it. */
static void guest_prints(struct guest *guest, char c)
{
    if (c != '\n' && guest->line_size < sizeof guest->line - 1) {
        guest->line[guest->line_size++] = c;
        return;
    }
    guest->line[guest->line_size] = 0;
    print("[%s] %s\n", guest->name, guest->line);
    guest->line_size = 0;
}

/* As the hart would take a trap to VS mode. */
static void inject_exception(struct guest *guest, u64 cause, u64 value)
{
    u64 status = csr_read(vsstatus), sie = status >> 1 & 1;
    u64 from_supervisor = guest->sstatus & SSTATUS_SPP;
    csr_write(vsepc, guest->pc);
    csr_write(vscause, cause);
    csr_write(vstval, value);
    csr_write(vsstatus, (status & ~(SSTATUS_SPP | SSTATUS_SPIE | 2)) | sie << 5 | from_supervisor);
    guest->sstatus |= SSTATUS_SPP;
    guest->pc = csr_read(vstvec) & ~3UL;
}

/* The instruction that trapped, where the hart doesn't tell it. */
static u32 fetch_instruction(const struct guest *guest)
{
    u32 low = fetch_as_guest(guest->pc);
    return (low & 3) == 3 ? low | (u32)fetch_as_guest(guest->pc + 2) << 16 : low;
}

/* What a load or store of the integer registers does; 0 if it is anything else. */
static int decode_access(u32 instruction, struct access *access)
{
    access->length = instruction & 2 ? 4 : 2;
    instruction |= 2;
    u32 opcode = instruction & 0x7f, width = instruction >> 12 & 7;
    if (opcode != 0x03 && opcode != 0x23) return 0;
    access->is_store = opcode == 0x23;
    access->size = 1 << (width & 3);
    access->reg = instruction >> (access->is_store ? 20 : 7) & 31;
    return access->is_store ? width < 4 : width < 7;
}

static void update_uart_interrupt(const struct guest *guest)
{
    if (guest->uart_ier & IER_EMPTY) csr_set(hvip, VSEIP);
    else csr_clear(hvip, VSEIP);
}

/* A 16550 that can only send, and sends at once. */
static u64 read_uart(struct guest *guest, u32 offset)
{
    switch (offset) {
    case IER: return guest->uart_ier;
    case IIR: return guest->uart_ier & IER_EMPTY ? IIR_EMPTY : IIR_NONE;
    case LSR: return LSR_EMPTY;
    default: return 0;
    }
}

static void write_uart(struct guest *guest, u32 offset, u8 value)
{
    if (offset == THR) guest_prints(guest, value);
    if (offset == IER) guest->uart_ier = value;
    update_uart_interrupt(guest);
}

/* 1 if it was an access to the emulated UART, and is done. */
static int emulate_uart(struct guest *guest, u64 address, u32 instruction)
{
    struct access access;
    if (address < GUEST_UART || address >= GUEST_UART + 8) return 0;
    if (instruction) told_by_htinst++;
    else instruction = fetch_instruction(guest), read_by_hlvx++;
    if (!decode_access(instruction, &access) || access.size != 1) return 0;
    u32 offset = address - GUEST_UART;
    if (access.is_store) write_uart(guest, offset, guest->x[access.reg]);
    else if (access.reg) guest->x[access.reg] = read_uart(guest, offset);
    guest->pc += access.length;
    return 1;
}

/* Hypervisor Extension, pseudoinstructions for guest page faults: 0x2000, 0x2020, 0x3000, 0x3020
 * for the guest's own page table. */
static int is_implicit(u32 instruction) { return (instruction & ~0x1020) == 0x2000; }

static void report_breach(struct guest *guest, u64 cause, u64 htval, u64 htinst)
{
    const char *const what[] = {"a jump to", "a load from", "?", "a store to"};
    u64 address = htval << 2 | (csr_read(stval) & 3);
    breaches++;
    print("hypervisor: %s: %s %x, which isn't its memory\n", guest->name,
          is_implicit(htinst) ? "a page table at" : what[cause - FETCH_GUEST_PAGE_FAULT], address);
    print("            pc %x stval %x htval %x htinst %x: ", guest->pc, csr_read(stval), htval,
          htinst);
    if (cause == FETCH_GUEST_PAGE_FAULT) {
        print("the guest is ended\n");
        guest->state = ENDED;
        return;
    }
    print("it gets an access fault\n");
    inject_exception(guest, cause == LOAD_GUEST_PAGE_FAULT ? LOAD_ACCESS : STORE_ACCESS,
                     csr_read(stval));
}

/* A guest page fault: the guest-physical address is in htval, shifted right by two. */
static void take_guest_page_fault(struct guest *guest, u64 cause)
{
    u64 htval = csr_read(htval), htinst = csr_read(htinst);
    u64 address = htval << 2 | (csr_read(stval) & 3);
    if (cause != FETCH_GUEST_PAGE_FAULT && !is_implicit(htinst)
        && emulate_uart(guest, address, htinst)) return;
    report_breach(guest, cause, htval, htinst);
}

/* WFI gives the hart to the other guest; anything else is no business of a guest. */
static void take_virtual_instruction(struct guest *guest)
{
    u32 instruction = csr_read(stval);
    if (instruction == 0) instruction = fetch_instruction(guest);
    if (instruction == WFI) {
        guest->state = WAITING;
        guest->pc += 4;
        return;
    }
    print("hypervisor: %s: instruction %x is for hypervisors: it gets an illegal instruction\n",
          guest->name, (u64)instruction);
    breaches++;
    inject_exception(guest, ILLEGAL_INSTRUCTION, instruction);
}

static struct sbi_result call_console(struct guest *guest, u64 size, u64 address)
{
    for (u64 i = 0; i < size; i++) {
        const u8 *byte = host_address(guest, address + i);
        if (!byte) return (struct sbi_result){SBI_INVALID_ADDRESS, i};
        guest_prints(guest, *byte);
    }
    return (struct sbi_result){0, size};
}

/* The other guest isn't on the hart: its hvip is in its record. */
static struct sbi_result call_message(struct guest *guest, u64 function, u64 message)
{
    struct guest *other = &guests[guest == &guests[0]];
    if (function == MESSAGE_RECEIVE) return (struct sbi_result){0, guest->message};
    if (function != MESSAGE_SEND) return (struct sbi_result){SBI_INVALID_PARAMETER, 0};
    other->message = message;
    other->hvip |= VSSIP;
    return (struct sbi_result){0, 0};
}

static void take_sbi_call(struct guest *guest)
{
    struct sbi_result result = {SBI_NOT_SUPPORTED, 0};
    u64 extension = guest->x[A7], function = guest->x[A6], first = guest->x[A0];
    guest->pc += 4;
    if (extension == SBI_LEGACY_PUTCHAR) {
        guest_prints(guest, first);
        guest->x[A0] = 0; /* legacy calls leave a1 alone */
        return;
    }
    if (extension == SBI_CONSOLE && function == CONSOLE_WRITE) {
        result = call_console(guest, first, guest->x[A1]);
    } else if (extension == SBI_TIME && function == 0) {
        csr_write(vstimecmp, first);
        result.error = 0;
    } else if (extension == SBI_MESSAGE) {
        result = call_message(guest, function, first);
    } else if (extension == SBI_BASE) {
        result = (struct sbi_result){0, function == 0 ? 2UL << 24 : 0};
    } else if (extension == SBI_RESET) {
        print("hypervisor: %s has shut itself down\n", guest->name);
        guest->state = ENDED;
    }
    guest->x[A0] = result.error;
    guest->x[A1] = result.value;
}

static void take_exit(struct guest *guest)
{
    u64 cause = csr_read(scause);
    if ((s64)cause < 0) {
        guest->interrupts++; /* the end of its time slice */
        return;
    }
    if (cause < CAUSES) guest->exits[cause]++;
    switch (cause) {
    case VIRTUAL_SUPERVISOR_CALL: take_sbi_call(guest); break;
    case VIRTUAL_INSTRUCTION: take_virtual_instruction(guest); break;
    case FETCH_GUEST_PAGE_FAULT:
    case LOAD_GUEST_PAGE_FAULT:
    case STORE_GUEST_PAGE_FAULT: take_guest_page_fault(guest, cause); break;
    default: unexpected_trap(cause, guest->pc, csr_read(stval));
    }
}

#endif
