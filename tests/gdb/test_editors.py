"""The session that docs/howto/editors.md lets VS Code run, with gdb in place of the extension."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

from .driver import Gdb

SOURCES = ROOT / "rvplat/guests/programs"


@pytest.fixture
def configuration() -> dict[str, Any]:
    """The page's launch.json."""
    page = (ROOT / "docs/howto/editors.md").read_text()
    found = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert found is not None
    text = found[1].replace("${workspaceFolder}", str(SOURCES))
    [only] = json.loads(text)["configurations"]
    return dict(only)


@pytest.fixture
def port(configuration: dict[str, Any]) -> Iterator[str]:
    """The port of the server that the configuration starts."""
    target = configuration["target"]
    command = [str(Path(sys.executable).with_name(target["server"])), *target["serverParameters"]]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if found := re.search(target["serverPortRegExp"], line):
                    yield found[1]
                    break
            else:
                raise AssertionError("no line names the port")
        finally:
            process.kill()


def test_host_and_guests_are_in_one_session(
    gdb: Gdb, configuration: dict[str, Any], port: str
) -> None:
    assert Path(configuration["program"]).is_file()
    gdb.machine(f"-file-exec-and-symbols {configuration['program']}")
    gdb.machine(f"-target-select {configuration['target']['type']} localhost:{port}")
    for line in configuration["initCommands"]:
        gdb.do(line)
    gdb.stops.clear()
    gdb.machine("-exec-continue --all")
    stop = gdb.wait()
    assert (stop["reason"], stop["thread-id"]) == ("breakpoint-hit", "3")
    stacks = {
        number: gdb.machine(f"-stack-list-frames --thread {number}")["stack"][0]["func"]
        for number in gdb.machine("-thread-list-ids")["thread-ids"]["thread-id"]
    }
    assert stacks.keys() == {"1", "2", "3"}
    assert (stacks["1"], stacks["3"]) == ("run_guest", "guest_sort")
    line = gdb.machine("-break-insert --source hypervisor/sort.c --line 20")["bkpt"]
    assert line["func"] == "guest_sort"
    gdb.machine(
        f"-break-delete {gdb.machine('-break-list')['BreakpointTable']['body'][0]['number']}"
    )
    gdb.machine("-exec-continue --all")
    assert gdb.wait()["frame"]["line"] == "20"
