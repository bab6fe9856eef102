/*
 * The guest's devices, in user space: RISC-V Platform-Level Interrupt Controller Specification 1.0
 * (one context a vCPU, supervisor mode) and a 16550 UART (its FIFO without timeouts).
 */
#include "vmm.h"

#include <string.h>
#include <unistd.h>

enum { THR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { IER_RECEIVED = 1, IER_EMPTY = 2, LCR_DLAB = 0x80, MCR_LOOPBACK = 0x10 };
enum { IIR_NONE = 1, IIR_EMPTY = 2, IIR_RECEIVED = 4, IIR_FIFOS = 0xc0 };
enum { LSR_READY = 1, LSR_EMPTY = 0x60, MSR_CONNECTED = 0xb0, FIFO = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    struct vm *vm;
    u32 priority[PLIC_SOURCES], level, claimed;
    struct { u32 enable, threshold; int line; } context[MAX_VCPUS];
} plic;
static struct {
    u8 ier, lcr, mcr, scratch, divisor[2], fifo[FIFO];
    u32 in, out;
    int empty_pending;
} uart;

void devices_reset(struct vm *vm)
{
    memset(&plic, 0, sizeof plic);
    memset(&uart, 0, sizeof uart);
    plic.vm = vm;
}

/* The context's interrupt of the highest priority above its threshold; 0 if there is none. */
static u32 best_of(u32 context)
{
    u32 best = 0, waiting = plic.level & ~plic.claimed & plic.context[context].enable;
    u32 over = plic.context[context].threshold;
    for (u32 source = 1; source < PLIC_SOURCES; source++) {
        if ((waiting >> source & 1) && plic.priority[source] > over) {
            best = source;
            over = plic.priority[source];
        }
    }
    return best;
}

static void update_contexts(void)
{
    for (u32 i = 0; i < plic.vm->vcpu_count; i++) {
        int line = best_of(i) != 0;
        if (line != plic.context[i].line) interrupt_line(&plic.vm->vcpus[i], line);
        plic.context[i].line = line;
    }
}

static void set_line(u32 source, int level)
{
    plic.level = (plic.level & ~(1U << source)) | (u32)level << source;
    update_contexts();
}

static u32 claim(u32 context)
{
    u32 source = best_of(context);
    if (source) plic.claimed |= 1U << source;
    return source;
}

static u32 read_plic(u64 offset)
{
    u32 context = (offset - 0x200000) / 0x1000;
    if (offset < 4 * PLIC_SOURCES) return plic.priority[offset / 4];
    if (offset == 0x1000) return plic.level & ~plic.claimed;
    if (offset >= 0x2000 && offset < 0x2000 + 0x80 * MAX_VCPUS) {
        return offset % 0x80 ? 0 : plic.context[(offset - 0x2000) / 0x80].enable;
    }
    if (offset < 0x200000 || context >= MAX_VCPUS) return 0;
    if (offset % 0x1000 == 0) return plic.context[context].threshold;
    return offset % 0x1000 == 4 ? claim(context) : 0;
}

static void write_plic(u64 offset, u32 value)
{
    u32 context = (offset - 0x200000) / 0x1000;
    if (offset < 4 * PLIC_SOURCES) {
        plic.priority[offset / 4] = value & 7;
    } else if (offset >= 0x2000 && offset < 0x2000 + 0x80 * MAX_VCPUS && offset % 0x80 == 0) {
        plic.context[(offset - 0x2000) / 0x80].enable = value & ~1U;
    } else if (offset >= 0x200000 && context < MAX_VCPUS) {
        if (offset % 0x1000 == 0) plic.context[context].threshold = value & 7;
        if (offset % 0x1000 == 4 && value < PLIC_SOURCES) plic.claimed &= ~(1U << value);
    }
}

static void update_uart(void)
{
    int received = (uart.ier & IER_RECEIVED) && uart.in != uart.out;
    set_line(UART_SOURCE, received || ((uart.ier & IER_EMPTY) && uart.empty_pending));
}

static u8 identify_interrupt(void)
{
    if ((uart.ier & IER_RECEIVED) && uart.in != uart.out) return IIR_FIFOS | IIR_RECEIVED;
    if (!(uart.ier & IER_EMPTY) || !uart.empty_pending) return IIR_FIFOS | IIR_NONE;
    uart.empty_pending = 0;
    return IIR_FIFOS | IIR_EMPTY;
}

static u8 read_uart(u64 offset)
{
    int divisor = uart.lcr & LCR_DLAB && offset <= IER;
    if (divisor) return uart.divisor[offset];
    switch (offset) {
    case THR: return uart.in != uart.out ? uart.fifo[uart.out++ % FIFO] : 0;
    case IER: return uart.ier;
    case IIR: return identify_interrupt();
    case LCR: return uart.lcr;
    case MCR: return uart.mcr;
    case LSR: return LSR_EMPTY | (uart.in != uart.out ? LSR_READY : 0);
    case MSR: return MSR_CONNECTED;
    case SCR: return uart.scratch;
    default: return 0;
    }
}

static void receive(u8 byte)
{
    if (uart.in - uart.out < FIFO) uart.fifo[uart.in++ % FIFO] = byte;
}

static void transmit(u8 byte)
{
    uart.empty_pending = 1;
    if (uart.mcr & MCR_LOOPBACK) receive(byte);
    else if (write(STDOUT_FILENO, &byte, 1) < 0) uart.empty_pending = 1; /* stdout is closed */
}

static void write_uart(u64 offset, u8 value)
{
    if (uart.lcr & LCR_DLAB && offset <= IER) {
        uart.divisor[offset] = value;
        return;
    }
    switch (offset) {
    case THR: transmit(value); break;
    case IER:
        if (value & ~uart.ier & IER_EMPTY) uart.empty_pending = 1;
        uart.ier = value & 0xf;
        break;
    case IIR: /* FCR */
        if (value & 2) uart.in = uart.out = 0;
        break;
    case LCR: uart.lcr = value; break;
    case MCR: uart.mcr = value & 0x1f; break;
    case SCR: uart.scratch = value; break;
    }
}

void plic_set_line(u32 source, int level)
{
    pthread_mutex_lock(&lock);
    set_line(source, level);
    pthread_mutex_unlock(&lock);
}

void uart_receive(u8 byte)
{
    pthread_mutex_lock(&lock);
    receive(byte);
    update_uart();
    pthread_mutex_unlock(&lock);
}

static void access_plic(u64 offset, u8 *data, u32 size, int is_write)
{
    u32 value = 0;
    if (size != 4) return;
    if (is_write) {
        memcpy(&value, data, 4);
        write_plic(offset, value);
    } else {
        value = read_plic(offset);
        memcpy(data, &value, 4);
    }
    update_contexts();
}

int device_access(u64 address, u8 *data, u32 size, int is_write)
{
    int known = 1;
    pthread_mutex_lock(&lock);
    if (address - PLIC_BASE < PLIC_SIZE) {
        access_plic(address - PLIC_BASE, data, size, is_write);
    } else if (address - UART_BASE < UART_SIZE) {
        if (is_write) write_uart(address - UART_BASE, *data);
        else *data = read_uart(address - UART_BASE);
        update_uart();
    } else {
        known = 0;
    }
    pthread_mutex_unlock(&lock);
    return known;
}
