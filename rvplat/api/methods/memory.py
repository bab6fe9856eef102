"""Memory of every world, and how addresses are translated."""

from __future__ import annotations

from typing import Literal, TypedDict

from rvplat.api.errors import BadParameter
from rvplat.api.interfaces import Session
from rvplat.api.names import WorldName, hart_of, vmid_named, world_of
from rvplat.api.registry import method
from rvplat.api.schema import Address, Hex, HexBytes, Word, hex_of, text_of
from rvplat.errors import BusError
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.machine.inspection.explain import Access, Explanation, Mode, known_guests
from rvplat.machine.inspection.mappings import Mapping, mappings

Space = Literal["virtual", "guest-physical", "physical"]
MOST_BYTES = 1 << 16
MOST_RANGES = 10_000


class Memory(TypedDict):
    """Bytes from an address on: fewer than were asked for if the next page is not mapped."""

    address: Word
    data: Hex


class Entry(TypedDict):
    """A page-table entry of a walk, as `rvplat explain` shows it. `depth` is 1 for an entry that
    translates the address of a guest's page table, else 0; `pa` is null if it is not reached."""

    stage: str
    level: int
    depth: int
    address: Word
    pa: Word | None
    pte: Word
    flags: str
    pmp: str
    verdict: str


class Fault(TypedDict):
    """The trap that an access would raise, and the mode that takes it."""

    cause: int
    text: str
    handler: str


class Walk(TypedDict):
    """The result of an access: the entries of both stages in order; the guest physical address; the
    physical address, its PMP permissions and memory type; or the fault. `text` is the whole, as
    `rvplat explain` prints it."""

    world: str
    mode: str
    access: str
    va: Word
    entries: list[Entry]
    gpa: Word | None
    pa: Word | None
    pmp: str
    memory_type: str
    fault: Fault | None
    text: str


class Range(TypedDict):
    """`size` bytes that page tables map. `flags` are rwxugad of the first stage, `host_flags` of
    the second, which `gpa` belongs to. `pa` is null if the second stage does not map it."""

    va: Word
    size: Word
    flags: str
    gpa: Word | None
    host_flags: str
    pa: Word | None


@method("still")
def memory_read(
    session: Session, address: Address, size: int = 64, hart: int = 0, world: WorldName = "now",
    space: Space = "virtual",
) -> Memory:  # fmt: skip
    """RAM at an address of a world. `space`: the kind of the address; physical ones have no world.
    Device registers are read by `devices.read`."""
    if not 1 <= size <= MOST_BYTES:
        raise BadParameter(f"size={size}: expected 1 to {MOST_BYTES}")
    at = _at(session, hart, world, address)
    data = bytearray()
    while len(data) < size:
        here = at + len(data)
        part = min(size - len(data), PAGE_BYTES - here % PAGE_BYTES)
        try:
            data += _read(session, here, part, hart, world, space)
        except BusError:
            if not data:
                raise
            break
    return {"address": text_of(at), "data": hex_of(data)}


def _at(session: Session, hart: int, world: WorldName, address: Address) -> int:
    one = hart_of(session.api.machine, hart)
    return session.api.control.names.address(vmid_named(one, world), address)


def _read(session: Session, at: int, size: int, hart: int, world: WorldName, space: Space) -> bytes:
    machine = session.api.machine
    if space == "physical":
        return machine.memory.read(at, size)
    found = world_of(machine, hart_of(machine, hart), world)
    return found.read(at, size) if space == "virtual" else found.read_guest_physical(at, size)


@method("stopped")
def memory_write(
    session: Session, address: Address, data: HexBytes, hart: int = 0, world: WorldName = "now",
    space: Space = "virtual",
) -> None:  # fmt: skip
    """Write RAM of a stopped machine, even if it is write-protected or code."""
    machine = session.api.machine
    at = _at(session, hart, world, address)
    if space == "physical":
        machine.memory.write(at, data)
        return
    found = world_of(machine, hart_of(machine, hart), world)
    (found.write if space == "virtual" else found.write_guest_physical)(at, data)


@method("still")
def memory_walk(
    session: Session, address: Address, access: Access = "load", hart: int = 0,
    world: WorldName = "now", mode: Mode | None = None,
) -> Walk:  # fmt: skip
    """Explain an access, as `rvplat explain` and gdb's `monitor walk` do: the page-table walk of
    both stages, entry by entry, and the fault that it would raise. It changes nothing."""
    at = _at(session, hart, world, address)
    found = session.api.machine.explain(at, access, hart, mode, world)
    return _walk(found)


def _walk(found: Explanation) -> Walk:
    trap = found.fault
    fault: Fault | None = None
    if trap is not None:
        fault = {"cause": trap.cause, "text": str(trap), "handler": trap.handler}
    entries: list[Entry] = [
        {"stage": one.stage, "level": one.level, "depth": one.depth,
         "address": text_of(one.address), "pa": _maybe(one.pa), "pte": text_of(one.pte),
         "flags": "".join(c if one.pte >> i & 1 else "-" for i, c in enumerate("VRWXUGAD"))[::-1],
         "pmp": one.pmp, "verdict": one.verdict}
        for one in found.entries
    ]  # fmt: skip
    return {
        "world": found.world, "mode": found.mode, "access": found.access, "va": text_of(found.va),
        "entries": entries, "gpa": _maybe(found.gpa), "pa": _maybe(found.pa), "pmp": found.pmp,
        "memory_type": found.memory_type, "text": str(found),
        "fault": fault,
    }  # fmt: skip


def _maybe(value: int | None) -> Word | None:
    return None if value is None else text_of(value)


@method("still")
def memory_maps(session: Session, hart: int = 0, world: WorldName = "now") -> list[Range]:
    """The ranges that a world's page tables map, as gdb's `monitor maps` shows them; at most
    10,000. The host's are those of satp, also in M mode."""
    machine = session.api.machine
    one = hart_of(machine, hart)
    vmid = vmid_named(one, world)
    plain = one.plain
    if vmid is None:
        found = mappings(machine, plain, int(plain.satp))
    else:
        hgatp, vsatp = _roots(session, hart, vmid)
        found = mappings(machine, plain, vsatp, hgatp)
    return [_range(one) for one in found[:MOST_RANGES]]


def _roots(session: Session, hart: int, vmid: int) -> tuple[int, int]:
    """hgatp and vsatp of a guest, from the hart or another that has run it. LookupError."""
    harts = session.api.machine.harts
    for one in (harts[hart], *harts):
        if vmid in known_guests(one.view):
            return known_guests(one.view)[vmid]
    raise LookupError(f"no guest with VMID {vmid} has run")


def _range(one: Mapping) -> Range:
    return {"va": text_of(one.va), "size": Word(f"{one.size:#x}"), "flags": one.flags,
            "gpa": _maybe(one.gpa), "host_flags": one.host_flags, "pa": _maybe(one.pa)}  # fmt: skip
