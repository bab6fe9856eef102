"""`ns16550a`: a UART with FIFOs.

Manual: https://www.ti.com/lit/ds/symlink/pc16550d.pdf (PC16550D), section 8. Characters are sent at
once. Only the receiver's character timeout depends on the line's speed.

Its registers are native.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat_plugins.console_output import ConsoleOutput

from rvplat.bus import (
    Device,
    DeviceAlarm,
    FdtNode,
    Line,
    Register,
    State,
    afterwards,
    native,
    setting,
)
from rvplat.errors import DeviceError
from rvplat.hookspecs import hookimpl
from rvplat.lang import u8, u32, u64

FIFO_SIZE = 16
WIDTHS = (1, 2, 4, 8)  # a wider access has the register in its lowest byte, as on QEMU
TRIGGERS = 0x0E08_0401  # 1, 4, 8 or 14 characters: a byte for each value of FCR bits 7:6
CHARACTER_BITS = 10  # start, eight data, stop
TIMEOUT_CHARACTERS = 4


class Ier:
    """Interrupt enables."""

    RECEIVED = 1
    THR_EMPTY = 2
    LINE_STATUS = 4
    MODEM_STATUS = 8


class Lsr:
    """Line status."""

    DR = 0x01
    OE = 0x02
    THRE = 0x20
    TEMT = 0x40


class Mcr:
    """Modem control."""

    DTR = 0x01
    RTS = 0x02
    OUT1 = 0x04
    OUT2 = 0x08
    LOOP = 0x10


class Msr:
    """Modem status: the lower four bits are the changes."""

    TERI = 0x04
    CTS = 0x10
    DSR = 0x20
    RI = 0x40
    DCD = 0x80


class Iir:
    """Interrupt identification, highest priority first (table 4)."""

    LINE_STATUS = 0x6
    RECEIVED = 0x4
    TIMEOUT = 0xC
    THR_EMPTY = 0x2
    MODEM_STATUS = 0x0
    NONE = 0x1


@dataclass(frozen=True)
class UartSettings:
    """The keys of a UART on a board."""

    clock_frequency: int = setting("input clock in Hz", 3_686_400, minimum=1)


class Ns16550a(ConsoleOutput):
    """Takes as much input from its console as its FIFO holds. The rest waits in the console."""

    model = "ns16550a"
    compatible = ("ns16550a",)
    node_name = "serial"
    size = 0x100
    interrupts = ("irq",)
    settings_type = UartSettings
    registers = (
        Register(0, "RBR", "DATA[7:0]", "ro", 1, WIDTHS),
        Register(0, "THR", "DATA[7:0]", "wo", 1, WIDTHS),
        Register(1, "IER", "-[7:4] EDSSI[3] ELSI[2] ETBEI[1] ERBFI[0]", "rw", 1, WIDTHS),
        Register(2, "IIR", "FIFOS[7:6] -[5:4] ID[3:1] NONE[0]", "ro", 1, WIDTHS),
        Register(2, "FCR", "TRIGGER[7:6] -[5:4] DMA[3] TXRESET[2] RXRESET[1] ENABLE[0]", "wo", 1, WIDTHS),  # noqa: E501
        Register(3, "LCR", "DLAB[7] BC[6] SP[5] EPS[4] PEN[3] STB[2] WLS[1:0]", "rw", 1, WIDTHS),
        Register(4, "MCR", "-[7:5] LOOP[4] OUT2[3] OUT1[2] RTS[1] DTR[0]", "rw", 1, WIDTHS),
        Register(5, "LSR", "FIFOERR[7] TEMT[6] THRE[5] BI[4] FE[3] PE[2] OE[1] DR[0]", "ro", 1, WIDTHS),  # noqa: E501
        Register(6, "MSR", "DCD[7] RI[6] DSR[5] CTS[4] DDCD[3] TERI[2] DDSR[1] DCTS[0]", "ro", 1, WIDTHS),  # noqa: E501
        Register(7, "SCR", "SCRATCH[7:0]", "rw", 1, WIDTHS),
        Register(0, "DLL", "LOW[7:0]", "rw", 1, reset=0x0C, behind="LCR.DLAB"),
        Register(1, "DLM", "HIGH[7:0]", "rw", 1, behind="LCR.DLAB"),
    )  # fmt: skip
    state = (
        State("fifo", u8, FIFO_SIZE),  # the receiver's: `held` characters from `first` on
        State("first", u8),
        State("held", u8),
        State("timed_out", u8),  # a character has waited in it for four characters' time
        State("thr_emptied", u8),  # the transmitter's interrupt is pending
        State("overrun", u8),
        State("input_waits", u8),  # the console has more characters
        State("clock_hz", u64, saved=False),
        State("input_hz", u64, saved=False),
    )
    alarms = {"timeout": "time_out"}  # noqa: RUF012

    settings: UartSettings
    irq: Line
    timeout: DeviceAlarm
    ier: u8
    fcr: u8
    lcr: u8
    mcr: u8
    msr: u8
    dll: u8
    dlm: u8
    fifo: MutableSequence[u8]
    first: u8
    held: u8
    timed_out: u8
    thr_emptied: u8
    overrun: u8
    input_waits: u8
    clock_hz: u64
    input_hz: u64

    def setup(self) -> None:
        self.wiring.console.on_input = self.pull

    def reset(self) -> None:
        super().reset()
        self.clock_hz = u64(self.wiring.clock.frequency)
        self.input_hz = u64(self.settings.clock_frequency)
        self.msr = u8(Msr.CTS | Msr.DSR | Msr.DCD)
        self.pull()

    # ---- the receiver

    @native
    def capacity(self) -> u8:
        """How many characters the receiver can hold."""
        return u8(FIFO_SIZE) if self.fcr & 1 != 0 else u8(1)

    @native
    def receive(self, value: u8) -> None:
        """Put a character into the FIFO, which has room."""
        self.fifo[(self.first + self.held) & (FIFO_SIZE - 1)] = value
        self.held += 1

    @afterwards
    def pull(self) -> None:
        """Take input from the console while there is room."""
        room = self.capacity() - self.held
        if room > 0 and not self.mcr & Mcr.LOOP:
            taken = self.wiring.console.read(room)
            if taken:
                for character in taken:
                    self.receive(u8(character))
                self.restart_timeout()
                self.update()
        self.input_waits = u8(self.wiring.console.waiting > 0)

    @native
    def restart_timeout(self) -> None:
        """Restart the timeout at a character received or read (section 8.6.1)."""
        self.timed_out = u8(0)
        if self.held != 0 and self.fcr & 1 != 0:
            divisor = u64(self.dlm) << 8 | u64(self.dll)
            bits = (divisor if divisor != 0 else u64(1)) * (
                TIMEOUT_CHARACTERS * CHARACTER_BITS * 16
            )
            self.timeout.start(bits * self.clock_hz // self.input_hz + 1)
        else:
            self.timeout.stop()

    @native
    def time_out(self) -> None:
        """The character timeout has ended."""
        self.timed_out = u8(self.held != 0)
        self.update()

    @native
    def read_rbr(self) -> u8:
        """Take the oldest character; zero if there is none."""
        if self.lcr & 0x80 != 0:
            return self.dll
        value = u8(0)
        if self.held != 0:
            value = self.fifo[self.first]
            self.first = (self.first + 1) & (FIFO_SIZE - 1)
            self.held -= 1
        self.restart_timeout()
        self.pull_if_waiting()
        self.update()
        return value

    @native
    def pull_if_waiting(self) -> None:
        """Ask for input if the console has any."""
        if self.input_waits != 0:
            self.pull()

    # ---- the transmitter

    @native
    def write_thr(self, value: u8) -> None:
        """Send a character. The transmitter is empty again at once."""
        if self.lcr & 0x80 != 0:
            self.dll = value
            return
        if self.mcr & Mcr.LOOP != 0:
            self.receive_own(value)
        else:
            self.put(value)
        self.thr_emptied = u8(1)
        self.update()

    @native
    def receive_own(self, value: u8) -> None:
        """Loopback: receive a sent character (section 8.7). An overrun loses one (section 8.4)."""
        if self.held < self.capacity():
            self.receive(value)
            self.restart_timeout()
        else:
            self.overrun = u8(1)
            if self.fcr & 1 == 0:  # without FIFOs the new character replaces the old one
                self.fifo[self.first] = value

    # ---- interrupts

    @native
    def pending(self) -> u8:
        """The pending interrupt of highest priority."""
        ier = self.ier
        if ier & Ier.LINE_STATUS != 0 and self.overrun != 0:
            return u8(Iir.LINE_STATUS)
        if ier & Ier.RECEIVED != 0 and self.held != 0:
            if self.held >= self.trigger():
                return u8(Iir.RECEIVED)
            if self.timed_out != 0:
                return u8(Iir.TIMEOUT)
        if ier & Ier.THR_EMPTY != 0 and self.thr_emptied != 0:
            return u8(Iir.THR_EMPTY)
        if ier & Ier.MODEM_STATUS != 0 and self.msr & 0xF != 0:
            return u8(Iir.MODEM_STATUS)
        return u8(Iir.NONE)

    @native
    def trigger(self) -> u8:
        """How many characters interrupt."""
        return u8(u32(TRIGGERS) >> (self.fcr >> 6) * 8) if self.fcr & 1 != 0 else u8(1)

    @native
    def update(self) -> None:
        """Drive the interrupt line."""
        self.irq.set(self.pending() != Iir.NONE)

    @native
    def read_ier(self) -> u8:
        """Interrupt enables, or the divisor's upper half."""
        return self.dlm if self.lcr & 0x80 != 0 else self.ier

    @native
    def write_ier(self, value: u8) -> None:
        """Set the enables. Enabling the transmitter's interrupt raises it: it is empty."""
        if self.lcr & 0x80 != 0:
            self.dlm = value
            return
        if value & ~self.ier & Ier.THR_EMPTY != 0:
            self.thr_emptied = u8(1)
        self.ier = value & 0x0F
        self.update()

    @native
    def read_iir(self) -> u8:
        """The pending interrupt. Reading THR_EMPTY clears it."""
        cause = self.pending()
        if cause == Iir.THR_EMPTY:
            self.thr_emptied = u8(0)
            self.update()
        return cause | (u8(0xC0) if self.fcr & 1 != 0 else u8(0))

    # ---- control and status

    @native
    def write_fcr(self, value: u8) -> None:
        """FIFO control. Switching the FIFOs on or off empties both; bits 1 and 2 empty one."""
        switched = (value ^ self.fcr) & 1 != 0
        if switched or value & 2 != 0:
            self.held = u8(0)
            self.restart_timeout()
        if switched or value & 4 != 0:
            self.thr_emptied = u8(1)
        self.fcr = value & 0xC9 if value & 1 != 0 else u8(0)  # bits 2:1 clear themselves
        self.pull_if_waiting()
        self.update()

    @native
    def write_mcr(self, value: u8) -> None:
        """Set the modem's outputs. In loopback they are the modem's inputs: RTS is CTS, DTR is DSR,
        OUT1 is RI, OUT2 is DCD."""
        self.mcr = value
        status = u8(Msr.CTS | Msr.DSR | Msr.DCD)
        if value & Mcr.LOOP != 0:
            outputs = (value & (Mcr.OUT1 | Mcr.OUT2)) << 4
            status = (value & Mcr.RTS) << 3 | (value & Mcr.DTR) << 5 | outputs
        self.set_modem(status)
        self.pull_if_waiting()

    @native
    def set_modem(self, status: u8) -> None:
        """Set the modem's inputs and note changes. TERI notes only the end of RI (section 8.8)."""
        changed = (self.msr ^ status) >> 4
        if status & Msr.RI != 0:
            changed &= ~u8(Msr.TERI)
        self.msr = status | self.msr & 0xF | changed & 0xF
        self.update()

    @native
    def read_lsr(self) -> u8:
        """Line status. Reading clears the error bits. The transmitter is always empty."""
        status = u8(Lsr.THRE | Lsr.TEMT)
        if self.held != 0:
            status |= Lsr.DR
        if self.overrun != 0:
            status |= Lsr.OE
            self.overrun = u8(0)
            self.update()
        return status

    @native
    def read_msr(self) -> u8:
        """Modem status. Reading clears the noted changes."""
        status = self.msr
        self.msr &= 0xF0
        self.update()
        return status

    def fdt(self, node: FdtNode) -> None:
        node.set("clock-frequency", self.settings.clock_frequency)

    def save(self) -> dict[str, Any]:
        self.send()
        return super().save()

    def load(self, state: Mapping[str, Any]) -> None:
        """Native code relies on `first` and `held`: a file may have any."""
        if state["first"] >= FIFO_SIZE or state["held"] > FIFO_SIZE:
            raise DeviceError(f"{state['held']} characters from {state['first']} on are no FIFO")
        super().load(state)


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Ns16550a]
