"""`ns16550a`: a UART with FIFOs.

Manual: https://www.ti.com/lit/ds/symlink/pc16550d.pdf (PC16550D), section 8. Characters are sent at
once. Only the receiver's character timeout depends on the line's speed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rvplat.bus import Alarm, Device, FdtNode, Register, setting
from rvplat.hookspecs import hookimpl

FIFO_SIZE = 16
WIDTHS = (1, 2, 4, 8)  # a wider access has the register in its lowest byte, as on QEMU
TRIGGERS = (1, 4, 8, 14)  # FCR bits 7:6
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


LOOPED = ((Mcr.RTS, Msr.CTS), (Mcr.DTR, Msr.DSR), (Mcr.OUT1, Msr.RI), (Mcr.OUT2, Msr.DCD))


@dataclass(frozen=True)
class UartSettings:
    """The keys of a UART on a board."""

    clock_frequency: int = setting("input clock in Hz", 3_686_400, minimum=1)


class Ns16550a(Device):
    """Takes as much input from its console as its FIFO holds. The rest waits in the console."""

    model = "ns16550a"
    compatible = ("ns16550a",)
    node_name = "serial"
    size = 0x100
    interrupts = ("irq",)
    uses_console = True
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
    state = ("received", "timed_out", "thr_emptied", "overrun")

    settings: UartSettings
    ier: int
    fcr: int
    lcr: int
    mcr: int
    msr: int
    dll: int
    dlm: int
    received: bytearray  #: the receiver's FIFO
    timed_out: bool  #: a character has waited in it for four characters' time
    thr_emptied: bool  #: the transmitter's interrupt is pending
    overrun: bool
    alarm: Alarm | None = None

    def setup(self) -> None:
        self.wiring.console.on_input = self.pull

    def reset(self) -> None:
        super().reset()
        self.received = bytearray()
        self.timed_out = self.thr_emptied = self.overrun = False
        self.msr = Msr.CTS | Msr.DSR | Msr.DCD
        self.pull()

    # ---- the receiver

    @property
    def capacity(self) -> int:
        """How many characters the receiver can hold."""
        return FIFO_SIZE if self.fcr & 1 else 1

    def pull(self) -> None:
        """Take input from the console while there is room."""
        room = self.capacity - len(self.received)
        if room > 0 and not self.mcr & Mcr.LOOP:
            taken = self.wiring.console.read(room)
            if taken:
                self.received += taken
                self.restart_timeout()
                self.update()

    def restart_timeout(self) -> None:
        """Restart the timeout at a character received or read (section 8.6.1)."""
        clock = self.wiring.clock
        clock.cancel(self.alarm)
        self.alarm = None
        self.timed_out = False
        if self.received and self.fcr & 1:
            divisor = (self.dlm << 8 | self.dll) or 1
            bits = TIMEOUT_CHARACTERS * CHARACTER_BITS * 16 * divisor
            ticks = bits * clock.frequency // self.settings.clock_frequency + 1
            self.alarm = clock.call_at(clock.now() + ticks, self.time_out)

    def time_out(self) -> None:
        """The character timeout has ended."""
        self.alarm = None
        self.timed_out = bool(self.received)
        self.update()

    def read_rbr(self) -> int:
        """Take the oldest character; zero if there is none."""
        if self.lcr & 0x80:
            return self.dll
        value = self.received.pop(0) if self.received else 0
        self.restart_timeout()
        self.pull()
        self.update()
        return value

    # ---- the transmitter

    def write_thr(self, value: int) -> None:
        """Send a character. The transmitter is empty again at once."""
        if self.lcr & 0x80:
            self.dll = value
            return
        if self.mcr & Mcr.LOOP:
            self.receive_own(value)
        else:
            self.wiring.console.write(bytes((value,)))
        self.thr_emptied = True
        self.update()

    def receive_own(self, value: int) -> None:
        """Loopback: receive a sent character (section 8.7). An overrun loses one (section 8.4)."""
        if len(self.received) < self.capacity:
            self.received.append(value)
            self.restart_timeout()
        else:
            self.overrun = True
            if not self.fcr & 1:  # without FIFOs the new character replaces the old one
                self.received[:] = bytes((value,))

    # ---- interrupts

    def pending(self) -> int:
        """The pending interrupt of highest priority."""
        ier, received = self.ier, len(self.received)
        if ier & Ier.LINE_STATUS and self.overrun:
            return Iir.LINE_STATUS
        if ier & Ier.RECEIVED and received:
            if received >= (TRIGGERS[self.fcr >> 6] if self.fcr & 1 else 1):
                return Iir.RECEIVED
            if self.timed_out:
                return Iir.TIMEOUT
        if ier & Ier.THR_EMPTY and self.thr_emptied:
            return Iir.THR_EMPTY
        if ier & Ier.MODEM_STATUS and self.msr & 0xF:
            return Iir.MODEM_STATUS
        return Iir.NONE

    def update(self) -> None:
        """Drive the interrupt line."""
        self.lines["irq"].set(self.pending() != Iir.NONE)

    def read_ier(self) -> int:
        """Interrupt enables, or the divisor's upper half."""
        return self.dlm if self.lcr & 0x80 else self.ier

    def write_ier(self, value: int) -> None:
        """Set the enables. Enabling the transmitter's interrupt raises it: it is empty."""
        if self.lcr & 0x80:
            self.dlm = value
            return
        if value & ~self.ier & Ier.THR_EMPTY:
            self.thr_emptied = True
        self.ier = value & 0x0F
        self.update()

    def read_iir(self) -> int:
        """The pending interrupt. Reading THR_EMPTY clears it."""
        cause = self.pending()
        if cause == Iir.THR_EMPTY:
            self.thr_emptied = False
            self.update()
        return cause | (0xC0 if self.fcr & 1 else 0)

    # ---- control and status

    def write_fcr(self, value: int) -> None:
        """FIFO control. Switching the FIFOs on or off empties both; bits 1 and 2 empty one."""
        switched = (value ^ self.fcr) & 1
        if switched or value & 2:
            self.received.clear()
            self.restart_timeout()
        if switched or value & 4:
            self.thr_emptied = True
        self.fcr = value & 0xC9 if value & 1 else 0  # bits 2:1 clear themselves
        self.pull()
        self.update()

    def write_mcr(self, value: int) -> None:
        """Set the modem's outputs. In loopback they are the modem's inputs."""
        self.mcr = value
        if value & Mcr.LOOP:
            status = sum(msr for mcr, msr in LOOPED if value & mcr)
        else:
            status = Msr.CTS | Msr.DSR | Msr.DCD
        self.set_modem(status)
        self.pull()

    def set_modem(self, status: int) -> None:
        """Set the modem's inputs and note changes. TERI notes only the end of RI (section 8.8)."""
        changed = (self.msr ^ status) >> 4
        if status & Msr.RI:
            changed &= ~Msr.TERI
        self.msr = status | self.msr & 0xF | changed & 0xF
        self.update()

    def read_lsr(self) -> int:
        """Line status. Reading clears the error bits. The transmitter is always empty."""
        status = Lsr.THRE | Lsr.TEMT
        if self.received:
            status |= Lsr.DR
        if self.overrun:
            status |= Lsr.OE
            self.overrun = False
            self.update()
        return status

    def read_msr(self) -> int:
        """Modem status. Reading clears the noted changes."""
        status = self.msr
        self.msr &= 0xF0
        self.update()
        return status

    def fdt(self, node: FdtNode) -> None:
        node.set("clock-frequency", self.settings.clock_frequency)

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self.restart_timeout()
        self.timed_out = state["timed_out"]
        self.update()


@hookimpl
def rvplat_devices() -> Sequence[type[Device]]:
    """This file's model."""
    return [Ns16550a]
