"""The mappings of the selected world."""

from __future__ import annotations

from collections.abc import Sequence

from rvplat.gdb.monitor.command import Say, address, command
from rvplat.gdb.protocol.errors import GdbError
from rvplat.gdb.protocol.interfaces import Thread
from rvplat.gdb.target.machine_target import MachineTarget
from rvplat.machine.inspection.mappings import Mapping, merged

NO_FLAGS = "no translation"


@command
def maps(target: MachineTarget, thread: Thread, words: Sequence[str], say: Say) -> None:
    """maps [ADDRESS]: the ranges that the selected world's page tables map, or that of ADDRESS.

    A line has the addresses, the size, the flags rwxugad of the entries, and the physical address.
    For a guest the guest physical address comes first, then the flags and the physical address of
    the second stage. The host's tables are those of satp, also in M mode.
    """
    if len(words) > 1:
        raise GdbError("expected maps [ADDRESS]")
    wanted = address(target, words[0], thread) if words else None
    found = target.mappings(thread)
    shown = [one for one in found if wanted is None or one.va <= wanted < one.end]
    for one in shown:
        say(f"{one.va:#018x}-{one.end:#018x} {one.size:#x} {one.flags or NO_FLAGS}{_to(one)}\n")
    if not shown:
        say("nothing is mapped\n" if wanted is None else f"{wanted:#x} is not mapped\n")


def _to(one: Mapping) -> str:
    """The physical address of a range, with the second stage."""
    pa = "nowhere" if one.pa is None else f"{one.pa:#x}"
    if one.gpa is None:
        return f" -> {pa}"
    host = f"{one.host_flags or NO_FLAGS} -> " if one.pa is not None else ""
    return f" -> guest physical {one.gpa:#x} {host}{pa}"


def brief(target: MachineTarget, thread: Thread, say: Say) -> None:
    """The mappings as QEMU shows those of an x86, which pwndbg and GEF parse: addresses, size and
    urwx, and no other lines."""
    found = target.mappings(thread)
    if not any(one.flags for one in found):
        say("PG disabled\n")
        return
    for one in merged(Mapping(m.va, m.size, None, _urwx(m.flags)) for m in found):
        say(f"{one.va:016x}-{one.end:016x} {one.size:016x} {one.flags}\n")


def _urwx(flags: str) -> str:
    if not flags:
        return "-rwx"
    return "".join(letter if letter in flags else "-" for letter in "urwx")
