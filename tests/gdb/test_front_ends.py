"""How front ends show CSRs: gdb's debug adapter protocol, and LLDB."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat.machine.machine import Machine

from .conftest import Serve, gdbs

FIRST_WITH_DAP = 14


def version(path: str) -> int:
    """gdb's major version."""
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.\d+", said.splitlines()[0])
    assert found is not None
    return int(found[1])


class Adapter:
    """gdb as a debug adapter: requests and responses."""

    def __init__(self, path: str) -> None:
        command = [path, "-nx", "-q", "-i=dap"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._sent = 0

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def send(self, command: str, **arguments: Any) -> int:
        """A request; its number."""
        self._sent += 1
        request = {"seq": self._sent, "type": "request", "command": command}
        data = json.dumps({**request, "arguments": arguments}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n%b" % (len(data), data))
        self._in.flush()
        return self._sent

    def wait(self, number: int) -> dict[str, Any]:
        """The response to a request."""
        while True:
            length = 0
            while line := self._out.readline().strip():
                length = int(line.partition(b":")[2])
            assert length, "the adapter has gone"
            message = json.loads(self._out.read(length))
            if message.get("request_seq") == number:
                assert message["success"], message
                return dict(message.get("body") or {})

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        return self.wait(self.send(command, **arguments))

    def variables(self, reference: int) -> dict[str, dict[str, Any]]:
        found = self.ask("variables", variablesReference=reference)["variables"]
        return {row["name"]: row for row in found}


@pytest.fixture(params=gdbs() or ["none"], ids=lambda path: Path(path).name)
def adapter(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    if request.param == "none" or version(request.param) < FIRST_WITH_DAP:
        pytest.skip("no gdb that is a debug adapter")
    driver = Adapter(request.param)
    yield driver
    driver.close()


@pytest.mark.timeout(60)
def test_registers_in_a_debug_adapter(adapter: Adapter, serve: Serve, guest: Path) -> None:
    port = serve(Machine.open("virt", program=guest))
    adapter.ask("initialize", clientID="test", adapterID="gdb")
    attach = adapter.send("attach", target=f"127.0.0.1:{port}", program=str(guest))
    adapter.send("configurationDone")
    adapter.wait(attach)
    frame = adapter.ask("stackTrace", threadId=1)["stackFrames"][0]["id"]
    scopes = adapter.ask("scopes", frameId=frame)["scopes"]
    adapter.ask("setExpression", expression="$mcause", value="0x8000000000000007", frameId=frame)
    (registers,) = [row for row in scopes if row["name"] == "Registers"]
    shown = adapter.variables(registers["variablesReference"])
    assert shown["mcause"]["value"] == "9223372036854775815"
    assert shown["mode"]["value"] == "M"
    assert all(row["value"] for name, row in shown.items() if f"{name}_fields" in shown)
    fields = adapter.variables(shown["mcause_fields"]["variablesReference"])
    values = {name: row["value"] for name, row in fields.items()}
    assert values == {"Code": "7", "Interrupt": "true"}
    evaluated = adapter.ask("evaluate", expression="$mcause & 6", frameId=frame)
    assert evaluated["result"] == "6"


def lldb() -> str | None:
    """The LLDB of the PyPI package: old ones show no fields."""
    beside = Path(sys.executable).with_name("lldb")
    return str(beside) if beside.exists() else None


@pytest.mark.skipif(lldb() is None, reason="no LLDB")
@pytest.mark.timeout(120)
def test_registers_in_lldb(serve: Serve, guest: Path) -> None:
    port = serve(Machine.open("virt", program=guest))
    command = [str(lldb()), "--no-lldbinit", "--no-use-colors", "--batch"]
    for line in (
        f"target create {guest}",
        f"gdb-remote {port}",
        "breakpoint set --name work",
        "continue",
        "register write mcause 0x8000000000000007",
        "register read mcause",
        "register read mstatus",
        "expression $mcause & 6",
        "register write satp 0",
        "process detach",
    ):
        command += ["--one-line", line]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said = " ".join(done.stdout.split())
    assert "mcause = 0x8000000000000007 = (Interrupt = 1, Code = 7)" in said, done.stderr
    assert "MPP = 0" in said
    assert "(unsigned long) $0 = 6" in said
