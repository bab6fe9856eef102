"""What a recording is of: the board, the software, the files below disks, the plugins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rvplat.errors import RecordingError, SnapshotError
from rvplat.machine.recordings.file import FORMAT, KEY
from rvplat.machine.running.system import System
from rvplat.machine.snapshots.facts import (
    BaseFile,
    Facts,
    UsedPlugin,
    check_facts,
    facts_of,
    with_contents,
)


def first_line(
    machine: System, command: list[str], begin: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The first line of a recording. `command` are the words with which it was made, if any;
    `begin` is where it begins, if that is not at power-on."""
    facts = facts_of(machine)
    return {
        KEY: FORMAT,
        "version": facts.version,
        "command": command,
        "board_name": facts.board_name,
        "board": facts.board,
        "plugins": [asdict(one) for one in facts.plugins],
        "files": [asdict(with_contents(one)) for one in facts.files],
        "software": dict(software_of(machine)),
        "memory": plan_digest(machine),
        **({"begin": begin} if begin is not None else {}),
    }


def software_of(machine: System) -> Iterator[tuple[str, list[str]]]:
    """The files of the software: by what they are, path and digest."""
    software = machine.software
    named = {"program": software.program, "kernel": software.kernel}
    paths = {what: one.path for what, one in named.items() if one is not None}
    if software.initrd is not None:
        paths["initrd"] = software.initrd_path
    for what, path in paths.items():
        if path.is_file():
            yield what, [str(path), hashlib.sha256(path.read_bytes()).hexdigest()]


def plan_digest(machine: System) -> str:
    """A digest of the memory and registers before the first instruction."""
    found = hashlib.sha256()
    for one in machine.plan.segments:
        found.update(f"{one.address} {one.size} ".encode() + one.data)
    found.update(repr((machine.plan.entry, machine.plan.registers)).encode())
    return found.hexdigest()


def check(machine: System, line: dict[str, Any], path: Path) -> None:
    """RecordingError if a recording is not of this board, software, files and plugins."""
    try:
        facts = Facts(
            line["version"], line["board_name"], line["board"],
            tuple(UsedPlugin(**one) for one in line["plugins"]),
            tuple(BaseFile(**one) for one in line["files"]),
        )  # fmt: skip
        software, memory = line["software"], line["memory"]
    except (KeyError, TypeError):
        raise RecordingError(f"{path}: its first line is damaged") from None
    try:
        check_facts(machine, facts)
    except SnapshotError as error:  # the checks and their words are those of snapshots
        raise RecordingError(f"{path}: {str(error).replace('snapshot', 'recording')}") from None
    if "begin" in line:  # the software is in the snapshot
        return
    here = dict(software_of(machine))
    for what, (name, digest) in software.items():
        found = here.get(what)
        if found is None:
            raise RecordingError(f"{path}: the recorded run had the {what} {name}; name it too")
        if found[1] != digest:
            raise RecordingError(
                f"{path}: the {what} {found[0]} is not that of the recording ({name}): "
                "its contents are others"
            )
    if extra := sorted(set(here) - set(software)):
        raise RecordingError(f"{path}: the recorded run had no {extra[0]} ({here[extra[0]][0]})")
    if plan_digest(machine) != memory:
        raise RecordingError(
            f"{path}: memory at the begin is not as in the recording: the kernel's command line, "
            "the device tree or a file of --load is another"
        )
