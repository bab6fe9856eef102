"""Small guests for tests of the machine and the command line, assembled at first use."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

COMMAND = (
    "-m", "ziglang", "cc", "-target", "riscv{xlen}-freestanding-none", "-mcpu=baseline_rv{xlen}",
    "-mcmodel=medany", "-nostdlib", "-Wl,--build-id=none",
)  # fmt: skip
LINK = """
ENTRY(_start)
SECTIONS {
  . = 0x80000000;
  .text : { *(.text) }
  . = ALIGN(0x1000);
  .tohost : { *(.tohost) }
  . = ALIGN(0x1000);
  .data : { *(.data) *(.bss) }
}
"""
BEGIN = """
.equ UART, 0x10000000
.equ TEST, 0x100000
.equ CLINT, 0x2000000
.equ MTIMECMP, 0x2004000
.equ MTIME, 0x200bff8
.globl _start
.option norelax
_start:
"""
POWER_OFF = """
  li t0, TEST
  li t1, 0x5555
  sw t1, 0(t0)
1: j 1b
"""

#: Lets the timer interrupt M mode, first after 300 ticks. `handler` finds mtimecmp at s1 and
#: mtime at s2.
TIMER_ON = """
  la t0, handler
  csrw mtvec, t0
  li s1, MTIMECMP
  li s2, MTIME
  ld t1, 0(s2)
  addi t1, t1, 300
  sd t1, 0(s1)
  li t1, 0x80
  csrw mie, t1
  csrsi mstatus, 8
"""

HELLO = (
    """
  la a0, text
  li t0, UART
1: lbu t1, 0(a0)
  beqz t1, 2f
  sb t1, 0(t0)
  addi a0, a0, 1
  j 1b
2:"""
    + POWER_OFF
    + """
text: .asciz "hello\\r\\n"
"""
)

#: Sends back each character plus 1; `q` powers off.
ECHO = (
    """
  li t0, UART
  li t2, 'q'
  li t3, '>'
  sb t3, 0(t0)
1: lbu t1, 5(t0)
  andi t1, t1, 1
  beqz t1, 1b
  lbu t1, 0(t0)
  beq t1, t2, 2f
  sb t1, 0(t0)
  j 1b
2:"""
    + POWER_OFF
)

#: The same by interrupts; it sleeps between them.
ECHO_ASLEEP = (
    """
  li t0, UART
  li t1, 1
  sb t1, 1(t0)            # IER: received
  li s0, 0xc000000        # PLIC
  sw t1, 40(s0)           # priority of source 10
  li t2, 0x400
  li s1, 0xc002000
  sw t2, 0(s1)            # enable it in context 0
  li s2, 0xc200000
  sw zero, 0(s2)
  li t1, 0x800
  csrw mie, t1            # MEIE; mstatus.MIE stays clear: WFI only wakes
  li t3, '>'
  sb t3, 0(t0)
1: wfi
  lw s3, 4(s2)
  lbu t1, 5(t0)
  andi t1, t1, 1
  beqz t1, 2f
  lbu t1, 0(t0)
  li t2, 'q'
  beq t1, t2, 3f
  sb t1, 0(t0)
2: sw s3, 4(s2)
  j 1b
3:"""
    + POWER_OFF
)

WAIT = "1: wfi\n  j 1b\n"
LOOP = "1: addi x5, x5, 1\n  j 1b\n"
TRAP_LOOP = "  li t0, 0x40000000\n  jr t0\n"

#: Reports a failure with code 7.
FAIL = "  li t0, TEST\n  li t1, 0x73333\n  sw t1, 0(t0)\n1: j 1b\n"

#: Resets the board the first time, powers it off the second. A reset keeps other RAM.
RESET = (
    """
  li s0, 0x80100000
  lw t0, 0(s0)
  addi t1, t0, 1
  sw t1, 0(s0)
  bnez t0, 2f
  li t0, TEST
  li t1, 0x7777
  sw t1, 0(t0)
1: j 1b
2:"""
    + POWER_OFF
)

#: Sleeps `count` times until the timer, `ticks` ticks each time.
TICKS = (
    """
  li t0, 0x80
  csrw mie, t0
  li s0, MTIMECMP
  li s1, MTIME
  li s2, {count}
1: ld t1, 0(s1)
  li t2, {ticks}
  add t1, t1, t2
  sd t1, 0(s0)
2: wfi
  csrr t3, mip
  andi t3, t3, 0x80
  beqz t3, 2b
  ld t4, 0(s1)
  bltu t4, t1, 3f         # too early
  addi s2, s2, -1
  bnez s2, 1b
"""
    + POWER_OFF
    + """
3: li t0, TEST
  li t1, 0x13333
  sw t1, 0(t0)
4: j 4b
"""
)

#: A timer is due shortly before or after the start of WFI. Fails if an instruction after WFI
#: executes before the trap.
WFI_ROUNDS = (
    """
  la t0, 4f
  csrw mtvec, t0
  li s0, MTIMECMP
  li s1, MTIME
  li s2, {count}
1: li t0, 0x80
  csrw mie, t0
  andi t2, s2, 63
  andi t3, s2, 511
  ld t1, 0(s1)
  add t1, t1, t2
  sd t1, 0(s0)            # due in up to 63 ticks
  csrsi mstatus, 8
2: addi t3, t3, -1
  bgtz t3, 2b
  wfi
3: nop                    # where the trap belongs
  j 5f
.balign 4
4: li t0, -1
  sd t0, 0(s0)
  addi s2, s2, -1
  la t1, 1b
  csrw mepc, t1
  bnez s2, 6f
"""
    + POWER_OFF
    + """
6: mret
5: li t0, TEST
  li t1, 0x13333
  sw t1, 0(t0)
7: j 7b
"""
)

#: Two harts wake each other in turn, a thousand times.
PING = (
    """
  csrr s0, mhartid
  li t0, 8
  csrw mie, t0
  li s1, CLINT
  slli t0, s0, 2
  add s2, s1, t0          # own msip
  xori t0, s0, 1
  slli t0, t0, 2
  add s3, s1, t0          # the other's
  li s4, {count}
  li s5, 1
  bnez s0, 1f
  sw s5, 0(s3)
1: wfi
  csrr t0, mip
  andi t0, t0, 8
  beqz t0, 1b
  sw zero, 0(s2)
  addi s4, s4, -1
  beqz s4, 2f
  sw s5, 0(s3)
  j 1b
2: sw s5, 0(s3)
  bnez s0, 3f
"""
    + POWER_OFF
    + """
3: wfi
  j 3b
"""
)

#: Ends through tohost with a code, and has a signature.
TOHOST = (
    """
  la t0, begin_signature
  li t1, 0x1122334455667788
  sd t1, 0(t0)
  li t1, 0xcafe
  sw t1, 8(t0)
  li t1, {value}
  la t0, tohost
  sd t1, 0(t0)
1: j 1b
.data
.align 4
.globl begin_signature
begin_signature: .zero 12
.globl end_signature
end_signature: .word 0
"""
    + """
.section .tohost,"aw",@progbits
.align 6
.globl tohost
tohost: .dword 0
.align 6
.globl fromhost
fromhost: .dword 0
"""
)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rvplat-guests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "link.ld").write_text(LINK)
    return folder


@cache
def guest(source: str, xlen: int = 64) -> Path:
    """The ELF file of a program."""
    folder = _folder()
    name = hashlib.sha256(source.encode()).hexdigest()[:12] + f"-{xlen}"
    command = [part.format(xlen=xlen) for part in COMMAND]
    text, made = folder / f"{name}.S", folder / f"{name}.elf"
    text.write_text(BEGIN + source)
    subprocess.run(
        [sys.executable, *command, f"-Wl,-T,{folder / 'link.ld'}", text, "-o", made], check=True
    )
    return made
