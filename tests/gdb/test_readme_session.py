"""The README's session with gdb, word for word, with gdb's defaults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rvplat.cli.build import symbol_files
from rvplat.guests import hypervisor_elf
from rvplat.machine.machine import Machine

from . import readme
from .conftest import Serve, gdbs

TITLE = "A session: gdb in a host and its guests"
SETTINGS = "set "  # lines at the end that are no part of it


@pytest.fixture(params=gdbs() or ["none"], ids=lambda path: Path(path).name)
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "none":
        pytest.skip("no gdb")
    yield request.param


def test_the_hypervisor_and_its_guests(path: str, serve: Serve) -> None:
    text = readme.section(TITLE)
    assert "    $ rvplat run hypervisor --gdb 1234 --halt --set 'clock=\"virtual\"'\n" in text
    machine = Machine.open("virt", program=hypervisor_elf(), settings={"clock": "virtual"})
    files = symbol_files([], hypervisor_elf())  # as the command has them
    machine.software = replace(machine.software, symbol_files=files)
    steps = [step for step in readme.dialogue(text) if not step[0].startswith(SETTINGS)]
    port = serve(machine)
    commands = [command.replace(":1234", f":{port}") for command, _ in steps]
    said = readme.talk(path, commands, timeout_s=60)
    assert len(steps) > 25
    for (command, shown), answer in zip(steps, said, strict=False):
        assert readme.missing(shown, answer) == "", f"{command}: {answer}"
    assert len(said) >= len(steps)


def test_debug_sets_gdb_up(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`break guest_sort` at once waits for the guest, whose symbols come by themselves."""
    monkeypatch.setenv("RVPLAT_GDB", path)
    command = [sys.executable, "-m", "rvplat.cli", "debug", "virt", "hypervisor", "--batch"]
    for line in ("set breakpoint pending on", "break guest_sort", "continue", "print $vmid",
                 "info inferiors"):  # fmt: skip
        command += ["--ex", line]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60
    )
    said = readme.plain(done.stdout)
    assert "Breakpoint 1, guest_sort (first=" in said
    assert "$1 = 2" in said
    assert all(f"hypervisor/{name}.elf" in said for name in ("hypervisor", "fibonacci", "sort"))
