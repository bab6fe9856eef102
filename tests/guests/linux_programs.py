"""Programs of the tests for Linux: built from their sources, and run by Debian's kernel."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from rvplat import Machine
from rvplat.guests.build import LINUX, GuestSource, build
from rvplat.guests.cpio import CpioArchive
from rvplat.guests.debian import FAST, DebianGuest

SOURCES = Path(__file__).parent / "programs"
TIMEOUT_S = 300


def linux_program(folder: Path, sources: Sequence[str], *options: str) -> bytes:
    """A static program of `sources`, which are in SOURCES. Programs with the same `-mcpu` have the
    C library in common, which the compiler builds once."""
    paths = tuple(str(SOURCES / name) for name in sources)
    output = folder / Path(sources[0]).stem
    build(GuestSource(output.name, paths, (*LINUX, *options)), output)
    return output.read_bytes()


def archive_of(files: Mapping[str, bytes], commands: Sequence[str]) -> bytes:
    """Files for the root of an initramfs, and /go, which runs the commands."""
    added = CpioArchive()
    for name, data in files.items():
        added.file(name, data, 0o755)
    added.file("go", "\n".join(["#!/bin/sh", *commands, ""]).encode(), 0o755)
    return added.dump()


def script(modules: str = "") -> str:
    """The command line of a kernel that runs /go."""
    return f"{FAST} rvplat.modules={modules} rvplat.run=script rvplat.script=/go"


def output_of(
    guest: DebianGuest, initrd: Path, files: Mapping[str, bytes], commands: Sequence[str],
    isa: str, harts: int = 2, modules: str = "", **settings: object,
) -> str:  # fmt: skip
    """What Debian's kernel on `virt` prints while it runs the commands. `initrd`: a file to write,
    with Debian's own. `settings` are keys of the board's `harts`."""
    initrd.write_bytes(guest.initrd.read_bytes() + archive_of(files, commands))
    output = bytearray()
    with Machine.open(
        program=guest.fw_jump, kernel=guest.kernel, initrd=initrd,
        append=f"console=ttyS0 {script(modules)}",
        settings={
            "harts.isa": isa, "harts.count": harts,
            **{f"harts.{key}": value for key, value in settings.items()},
        },
    ) as machine:  # fmt: skip
        machine.console.sinks.append(output.extend)
        stop = machine.run(timeout_s=TIMEOUT_S)
    text = output.decode(errors="replace").replace("\r", "")
    assert stop.reason == "off", f"{stop}\n{text}"
    return text


def nested(vcpus: int) -> str:
    """The command that boots /kernel with /inner as a guest of KVM, which runs its own /go."""
    return f"/vmm boot /kernel /inner {vcpus} 256 {shlex.quote(script())}"


def figures(line: str, text: str) -> dict[str, int]:
    """The numbers of the only line "LINE: name 1, other name 2"."""
    [found] = re.findall(rf"^{line}: (.*)$", text, re.MULTILINE)
    pairs = (word.rpartition(" ") for word in found.split(", "))
    return {name: int(number) for name, _, number in pairs}
