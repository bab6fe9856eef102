/*
 * The calls that a guest makes: RISC-V Supervisor Binary Interface Specification 2.0. MESSAGE is
 * our own, in the range for experiments: `send` gives a number to the other guest and interrupts
 * it, `receive` takes it.
 */
#ifndef SBI_H
#define SBI_H

enum {
    SBI_LEGACY_PUTCHAR = 1,
    SBI_BASE = 0x10,
    SBI_TIME = 0x54494d45,
    SBI_RESET = 0x53525354,
    SBI_CONSOLE = 0x4442434e,
    SBI_MESSAGE = 0x08727670,
};
enum { CONSOLE_WRITE = 0, MESSAGE_SEND = 0, MESSAGE_RECEIVE = 1 };
enum { SBI_NOT_SUPPORTED = -2, SBI_INVALID_PARAMETER = -3, SBI_INVALID_ADDRESS = -5 };

struct sbi_result { s64 error; u64 value; };

#endif
