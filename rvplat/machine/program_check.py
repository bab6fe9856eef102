"""Find why a program will not start on a board, for `rvplat check PROGRAM`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from rvplat.errors import LoaderError, RvplatError
from rvplat.isa.machinery.disassemble import Disassembler, instruction_length
from rvplat.machine.boards.board import Board
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.boards.extensions import hart_extensions
from rvplat.machine.loading import wrong_files
from rvplat.machine.loading.images import read_program
from rvplat.machine.loading.loader import Software
from rvplat.machine.loading.program import Program
from rvplat.machine.loading.program_facts import Facts
from rvplat.machine.machine import Machine
from rvplat.pluginmanager import Plugins

#: The names in ELF attributes of the base instruction set and of classes of extensions.
_ALWAYS: Final = frozenset({"i", "g"})
_STAND_INS: Final = {"c": "zca"}


def obstacles(
    board: Board, plugins: Plugins, path: Path, facts: Facts, say: Callable[[str], None]
) -> list[str]:
    """The reasons why a program will not start on a board, one line each; none if it will.

    A Linux Image counts as a kernel. The check builds the machine; `say` gets a message before slow
    work.
    """
    try:
        program = read_program(path, "the program", tuple(plugins.loaders.values()))
    except LoaderError as error:
        return [str(error)]
    found = list(_lacking(board, plugins, path, facts))
    if facts.interpreter:
        found.append(
            f"{path}: it asks for the dynamic linker {facts.interpreter}: it is a program for an "
            "operating system, and runs under one"
        )
    if program.kind == "linux":
        return found + _of_building(board, plugins, Software(kernel=program), say)
    placed = program.at(board.main_memory.base)
    outside = [wrong_files.misplaced(board, placed, segment) for segment in placed.segments]
    if any(outside):
        return [*filter(None, outside), *found]
    found += _first_instruction(board, placed)
    return found + _of_building(board, plugins, Software(program=placed), say)


def _lacking(board: Board, plugins: Plugins, path: Path, facts: Facts) -> Iterator[str]:
    """The extensions that the program needs and the harts lack."""
    have = {extension.name.lower() for extension in hart_extensions(board)}
    known = {name.lower() for name in (*shipped_extensions(), *plugins.extensions)}
    for name in facts.needs:
        if name in have | _ALWAYS or _STAND_INS.get(name) in have:
            continue
        why = (
            f"which the harts of {board.name} lack: harts.isa enables it"
            if name in known
            else "which rvplat does not have"
        )
        yield f"{path}: it was built for {name}, {why}"


def _first_instruction(board: Board, program: Program) -> Iterator[str]:
    """The fault of the instruction at the entry, if it has one."""
    at = f"{program.path}: its entry {program.entry:#x}"
    if program.entry & 1:
        yield f"{at} is odd: instructions begin at even addresses"
        return
    for one in program.segments:
        if one.address <= program.entry < one.end:
            start = program.entry - one.address
            bits = int.from_bytes(bytes(one.data[start : start + 4]), "little")
            if Disassembler(hart_extensions(board)).find(bits) is None:
                length = instruction_length(bits)
                encoding = f"{bits & (1 << 8 * length) - 1:#0{2 + 2 * length}x}"
                yield f"{at} holds {encoding}, no instruction that the harts of {board.name} have"
            return
    yield f"{at} is in none of its segments"


def _of_building(
    board: Board, plugins: Plugins, software: Software, say: Callable[[str], None]
) -> list[str]:
    """The errors that building the machine raises."""
    try:
        Machine(board, software, None, plugins, say).close()
    except RvplatError as error:
        return str(error).splitlines()
    return []


def notes(board: Board, path: Path, facts: Facts) -> Iterator[str]:
    """Further facts that matter to the user but do not prevent a start."""
    if facts.kernel:
        yield f"it is a kernel: rvplat run {board.name} FIRMWARE --kernel {path}"
    has_htif = any(device.model.model == "htif" for device in board.devices.values())
    if "tohost" in facts.symbols and not has_htif:
        yield f"it ends through tohost, for which {board.name} has no htif device; spike has one"
    if facts.symbols and not facts.parts:
        yield "there is nothing to load in it; --symbols takes its symbols"
