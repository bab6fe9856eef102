"""The device tree of a board, which describes the machine to software.

Bindings: Linux `Documentation/devicetree/bindings/riscv/{cpus,extensions}.yaml`; Devicetree
Specification v0.4, chapter 3. Nodes and their names are as those of QEMU's `virt`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rvplat.bus.device import Device, InterruptController
from rvplat.errors import DeviceError
from rvplat.frozen import frozen
from rvplat.isa.hpm import RAW_EVENTS, SBI_CACHE_EVENTS, Event
from rvplat.isa.privileged import Counter
from rvplat.machine.boards.board import Board, BoardDevice, BoardMemory
from rvplat.machine.boards.isa_string import PRIVILEGED, isa_string
from rvplat.machine.boards.model_errors import model_errors
from rvplat.machine.loading.fdt import FdtError, Item, Node, Phandle, Phandles, cells64, check_item

CACHE_BLOCK_BYTES = 64
RNG_SEED_BYTES = 32


@frozen
class Chosen:
    """The values that a loader adds to the board's `chosen`."""

    bootargs: str | None = None
    initrd: tuple[int, int] | None = None  # its first address and its end
    rng_seed: bytes | None = None


def fresh_seed() -> bytes:
    """Random bytes from the host, for the guest's kernel."""
    return os.urandom(RNG_SEED_BYTES)


def device_tree(board: Board, devices: Mapping[str, Device], chosen: Chosen | None = None) -> Node:
    """The tree of a board; `devices` are its built devices."""
    return _Builder(board, devices).tree(chosen or Chosen())


class _Builder:
    def __init__(self, board: Board, devices: Mapping[str, Device]) -> None:
        self.board = board
        self.devices = devices
        self.phandles = Phandles()
        self.root = Node("")
        self.intcs: list[Node] = []
        self.nodes: dict[str, Node] = {}

    def tree(self, chosen: Chosen) -> Node:
        general = self.board.general
        self.root.set("#address-cells", 2)
        self.root.set("#size-cells", 2)
        self.root.set("compatible", *general.compatible)
        self.root.set("model", general.model)
        at_chosen = self.root.child("chosen")
        for memory in sorted(self.board.memory.values(), key=lambda memory: memory.base):
            if not memory.rom:
                self._memory(memory)
        self._cpus()
        self._pmu()
        self._soc()
        self._chosen(at_chosen, chosen)
        return self.root

    def _chosen(self, node: Node, chosen: Chosen) -> None:
        board = self.board.chosen
        bootargs = board.bootargs if chosen.bootargs is None else chosen.bootargs
        if bootargs:
            node.set("bootargs", bootargs)
        if board.stdout in self.nodes:
            stdout = self.nodes[board.stdout]
            parent = "" if stdout in self.root.children else "/soc"
            node.set("stdout-path", f"{parent}/{stdout.name}")
        if chosen.initrd:
            start, end = chosen.initrd
            node.set("linux,initrd-start", *cells64(start))
            node.set("linux,initrd-end", *cells64(end))
        if chosen.rng_seed:
            node.set("rng-seed", chosen.rng_seed)

    def _memory(self, memory: BoardMemory) -> None:
        node = self.root.child(f"memory@{memory.base:x}")
        node.set("device_type", "memory")
        node.set("reg", *cells64(memory.base, memory.size))

    def _cpus(self) -> None:
        cpus = self.root.child("cpus")
        cpus.set("#address-cells", 1)
        cpus.set("#size-cells", 0)
        cpus.set("timebase-frequency", self.board.general.timebase_hz)
        nodes = [self._cpu(cpus, number) for number in range(self.board.harts.count)]
        cluster = cpus.child("cpu-map").child("cluster0")
        for number, node in enumerate(nodes):
            cluster.child(f"core{number}").set("cpu", self.phandles.of(node))

    def _cpu(self, cpus: Node, number: int) -> Node:
        own = self.board.each[number]
        harts = own.harts
        extensions = [one for one in own.extensions if one.name not in PRIVILEGED]
        names = [extension.name.lower() for extension in extensions]
        node = cpus.child(f"cpu@{number:x}", f"cpu{number}")
        node.set("device_type", "cpu")
        node.set("reg", number)
        node.set("status", "okay")
        node.set("compatible", "riscv")
        node.set("riscv,isa", isa_string(extensions, harts.xlen))
        node.set("riscv,isa-base", f"rv{harts.xlen}i")
        node.set("riscv,isa-extensions", *names)
        scheme = harts.translation
        node.set("mmu-type", "riscv,none" if scheme == "bare" else f"riscv,{scheme}")
        for name in ("zicbom", "zicboz", "zicbop"):
            if name in names:
                node.set(f"riscv,{name[2:]}-block-size", CACHE_BLOCK_BYTES)
        intc = node.child("interrupt-controller", f"cpu{number}_intc")
        intc.set("#interrupt-cells", 1)
        intc.set("#address-cells", 0)
        intc.set("interrupt-controller")
        intc.set("compatible", "riscv,cpu-intc")
        self.intcs.append(intc)
        return node

    def _pmu(self) -> None:
        """The event counters (bindings/perf/riscv,pmu.yaml): which of SBI's events have one. The
        selectors are SBI's own numbers. Cycles and instructions have their fixed counters too."""
        if not any(one.name == "Sscofpmf" for one in self.board.extensions):
            return
        node = self.root.child("pmu")
        node.set("compatible", "riscv,pmu")
        counters = {
            Event.CYCLES: Counter.HPM | Counter.CY, Event.INSTRUCTIONS: Counter.HPM | Counter.IR,
            **dict.fromkeys(SBI_CACHE_EVENTS, Counter.HPM),
        }  # fmt: skip
        node.set("riscv,event-to-mhpmevent", *(c for one in counters for c in (one, 0, one)))
        node.set(
            "riscv,event-to-mhpmcounters",
            *(c for one, mask in counters.items() for c in (one, one, mask)),
        )
        node.set(
            "riscv,raw-event-to-mhpmcounters",
            *(c for one in RAW_EVENTS for c in (0, one, 0xFFFF_FFFF, 0xFFFF_FFFF, Counter.HPM)),
        )

    def _soc(self) -> None:
        soc = self.root.child("soc")
        soc.set("#address-cells", 2)
        soc.set("#size-cells", 2)
        soc.set("compatible", "simple-bus")
        soc.set("ranges")
        for name, device in self.board.devices.items():
            if device.model.compatible:
                has_reg = device.model.node_has_reg and device.base is not None
                base = f"@{device.base:x}" if has_reg else ""
                parent = soc if has_reg else self.root
                with _errors_named(name):
                    self.nodes[name] = parent.child(device.model.node_name + base, name)
        for name, node in self.nodes.items():
            self._device(self.board.devices[name], node)

    def _device(self, device: BoardDevice, node: Node) -> None:
        node.set("compatible", *device.model.compatible)
        if device.base is not None and device.model.node_has_reg:
            node.set("reg", *cells64(device.base, device.size))
        controller = self._controller(device)
        if device.interrupts and controller in self.nodes:
            model = self.board.devices[controller].model
            node.set("interrupts", *_interrupt_cells(model, device.interrupts))
            node.set("interrupt-parent", self.phandles.of(self.nodes[controller]))
        if issubclass(device.model, InterruptController):
            node.set("interrupt-controller")
            node.set("#interrupt-cells", device.model.interrupt_cells)
            node.set("#address-cells", 0)
        with model_errors(device.model, device.name, "describing"), _errors_named(device.name):
            self.devices[device.name].fdt(_DeviceNode(node, self))

    def _controller(self, device: BoardDevice) -> str:
        return device.controller or next(
            (
                name
                for name, other in self.board.devices.items()
                if issubclass(other.model, InterruptController)
            ),
            "",
        )


def _interrupt_cells(model: type[Device], numbers: Sequence[int]) -> list[int]:
    """One cell for each line; if the controller needs two, the second is the type: level, high."""
    assert issubclass(model, InterruptController)
    return [cell for number in numbers for cell in (number, 4)[: model.interrupt_cells]]


@contextmanager
def _errors_named(device: str) -> Iterator[None]:
    """Add the device's name to errors in making its node, such as a node with the same name."""
    try:
        yield
    except FdtError as error:
        raise DeviceError(f"devices.{device}: its device tree: {error}") from error


def _check_name(name: object, what: str) -> None:
    if not isinstance(name, str) or not name.isascii() or not name or set(name) & set(" /\0"):
        raise FdtError(f"{name!r} is no name of {what}")


class _DeviceNode:
    """The interface of a node that devices use (`rvplat.bus.FdtNode`)."""

    def __init__(self, node: Node, builder: _Builder) -> None:
        self._node = node
        self._builder = builder

    @property
    def phandle(self) -> Phandle:
        return self._builder.phandles.of(self._node)

    def set(self, name: str, *values: Item) -> None:
        _check_name(name, "a property")
        for value in values:
            check_item(value, name)
        self._node.set(name, *values)

    def child(self, name: str) -> _DeviceNode:
        _check_name(name, "a node")
        return _DeviceNode(self._node.child(name), self._builder)

    def root_child(self, name: str) -> _DeviceNode:
        _check_name(name, "a node")
        return _DeviceNode(self._builder.root.child(name), self._builder)

    def hart_interrupts(self, *bits: int) -> list[int]:
        phandles = self._builder.phandles
        return [
            cell
            for intc in self._builder.intcs
            for bit in bits
            for cell in (phandles.of(intc), bit)
        ]
