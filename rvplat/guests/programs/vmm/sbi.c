/* RISC-V Supervisor Binary Interface Specification 2.0: the calls that KVM forwards. */
#include "vmm.h"

#include <poll.h>
#include <unistd.h>

enum { LEGACY_PUTCHAR = 1, LEGACY_GETCHAR = 2, DEBUG_CONSOLE = 0x4442434e };
enum { CONSOLE_WRITE, CONSOLE_READ, CONSOLE_WRITE_BYTE };
enum { SUCCESS = 0, FAILED = -1, NOT_SUPPORTED = -2, INVALID_PARAMETER = -3 };

static s64 read_byte(void)
{
    struct pollfd poll_input = {.fd = STDIN_FILENO, .events = POLLIN};
    u8 byte;
    if (poll(&poll_input, 1, 0) <= 0 || read(STDIN_FILENO, &byte, 1) != 1) return -1;
    return byte;
}

/* Buffers are guest-physical: the size, and the address in two halves. */
static s64 call_console(struct vcpu *vcpu, u64 function, const unsigned long *args, u64 *value)
{
    u8 *buffer = guest_memory(vcpu->vm, args[1], args[0]), byte = args[0];
    s64 done;
    switch (function) {
    case CONSOLE_WRITE:
    case CONSOLE_READ:
        if (!buffer || args[2]) return INVALID_PARAMETER;
        if (function == CONSOLE_READ) done = 0; /* input comes by the UART */
        else done = write(STDOUT_FILENO, buffer, args[0]);
        break;
    case CONSOLE_WRITE_BYTE:
        done = write(STDOUT_FILENO, &byte, 1) - 1;
        break;
    default: return NOT_SUPPORTED;
    }
    *value = done < 0 ? 0 : done;
    return done < 0 ? FAILED : SUCCESS;
}

void take_sbi_exit(struct vcpu *vcpu)
{
    const unsigned long *args = (const unsigned long *)vcpu->run->riscv_sbi.args;
    u64 extension = vcpu->run->riscv_sbi.extension_id, value = 0;
    s64 error = NOT_SUPPORTED;
    u8 byte = args[0];
    vcpu->vm->sbi_exits++;
    if (extension == LEGACY_PUTCHAR) {
        error = write(STDOUT_FILENO, &byte, 1) == 1 ? SUCCESS : FAILED;
        value = args[1]; /* legacy calls change a0 only */
    } else if (extension == LEGACY_GETCHAR) {
        error = read_byte();
        value = args[1];
    } else if (extension == DEBUG_CONSOLE) {
        error = call_console(vcpu, vcpu->run->riscv_sbi.function_id, args, &value);
    }
    vcpu->run->riscv_sbi.ret[0] = error;
    vcpu->run->riscv_sbi.ret[1] = value;
}
