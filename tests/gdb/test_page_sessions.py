"""The sessions with gdb of docs/, word for word, with gdb's defaults."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rvplat.cli.build import symbol_files
from rvplat.guests import hypervisor_elf
from rvplat.guests.debian import DebianGuest
from rvplat.machine.machine import Machine
from tests.docs.pages import ROOT
from tests.guests.conftest import debian_guest  # noqa: F401

from . import page_sessions
from .conftest import Serve, gdbs

SETTINGS = "set "  # lines at the end that are no part of it


@pytest.fixture(params=gdbs() or ["none"], ids=lambda path: Path(path).name)
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "none":
        pytest.skip("no gdb")
    yield request.param


def run(path: str, text: str, port: int, timeout_s: float) -> None:
    """Type what a page says, and compare what gdb shows."""
    steps = [*page_sessions.dialogue(text)]
    while steps[-1][0].startswith(SETTINGS):
        steps.pop()
    commands = [command.replace(":1234", f":{port}") for command, _ in steps]
    said = page_sessions.talk(path, commands, timeout_s)
    assert len(steps) > 15
    for (command, shown), answer in zip(steps, said, strict=False):
        assert page_sessions.agrees(shown, answer), f"{command}: {answer}"
    assert len(said) >= len(steps)


def test_the_hypervisor_and_its_guests(path: str, serve: Serve) -> None:
    text = (ROOT / "docs/howto/gdb-guests.md").read_text()
    assert "\n$ rvplat run hypervisor --gdb 1234 --halt --set 'clock=\"virtual\"'\n" in text
    machine = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
    files = symbol_files([], hypervisor_elf())  # as the command has them
    machine.software = replace(machine.software, symbol_files=files)
    run(path, text, serve(machine), timeout_s=60)


def test_back_to_who_wrote_it(path: str, serve: Serve) -> None:
    text = (ROOT / "docs/howto/backwards.md").read_text()
    line = "--harts 2 --gdb 1234 --halt --set clock=virtual --set debug.history=256M"
    assert f"\n$ rvplat run hypervisor {line}\n" in text
    settings = {"clock": "virtual", "debug.history": "256M"}
    machine = Machine.open("virt", program=hypervisor_elf(), harts=2, settings=settings)
    files = symbol_files([], hypervisor_elf())  # as the command has them
    machine.software = replace(machine.software, symbol_files=files)
    run(path, text, serve(machine), timeout_s=60)


@pytest.mark.skipif(not gdbs(), reason="no gdb")
def test_linux_kvm_and_its_guest(
    debian_guest: DebianGuest,  # noqa: F811
    tmp_path: Path,
) -> None:
    text = (ROOT / "docs/howto/gdb-kvm.md").read_text()
    (tmp_path / "guest").symlink_to(debian_guest.directory)
    (line,) = [line for line in text.splitlines() if line.startswith("$ rvplat run")]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = shlex.split(line.strip().removeprefix("$ rvplat "))
    words[words.index("1234")] = str(port)
    board = subprocess.Popen(
        [sys.executable, "-m", "rvplat", *words], cwd=tmp_path,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        run(gdbs()[0], text, port, timeout_s=240)  # gdb tries again until the port is there
    finally:
        board.kill()
        output = board.communicate()[0]
    assert "vmm: a guest with 1 virtual CPUs and 256 MiB" in output


def test_debug_sets_gdb_up(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`break guest_sort` waits for the guest, whose symbols are loaded automatically. The clock is
    virtual, and there is a history."""
    monkeypatch.setenv("RVPLAT_GDB", path)
    command = [sys.executable, "-m", "rvplat", "debug", "virt", "hypervisor", "--batch"]
    for line in (
        "break guest_sort",
        "continue",
        "print $vmid",
        "info inferiors",
        "reverse-stepi",
        "monitor when",
    ):
        command += ["--ex", line]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60
    )
    said = page_sessions.plain(done.stdout)
    assert "Breakpoint 1, guest_sort (first=" in said
    assert "17 while (first < last) {" in said, "the sources of what ships are found"
    assert "$1 = 2" in said
    assert "in guest_main () at hypervisor/sort.c:86" in said
    told = page_sessions.plain(done.stderr)
    assert "in the past, 1 before the end" in told
    assert "of 512 MiB" in told
    assert all(f"hypervisor/{name}.elf" in said for name in ("hypervisor", "fibonacci", "sort"))
