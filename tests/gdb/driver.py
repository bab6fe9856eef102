"""Drives a real gdb through its machine interface."""

from __future__ import annotations

import time
from typing import Any

from pygdbmi.gdbcontroller import GdbController

TIMEOUT_S = 20.0
IDLE = 0.01


class Gdb:
    """A gdb with nothing configured."""

    def __init__(self, path: str) -> None:
        command = [path, "--nx", "--quiet", "--interpreter=mi3"]
        self._controller = GdbController(command, time_to_check_for_additional_output_sec=IDLE)
        self.stops: list[dict[str, Any]] = []
        self.output = ""  # what the target said, in all
        self.logged = ""  # gdb's warnings and errors
        self.do("set confirm off")
        self.do("set mi-async on")
        self.do("set pagination off")

    def close(self) -> None:
        self._controller.exit()

    def _read(self) -> list[dict[str, Any]]:
        found = self._controller.get_gdb_response(timeout_sec=0.2, raise_error_on_timeout=False)
        for record in found:
            if record["type"] == "notify" and record["message"] == "stopped":
                self.stops.append(record["payload"] or {})
            elif record["type"] == "target":
                self.output += record["payload"] or ""
            elif record["type"] == "log":
                self.logged += record["payload"] or ""
        return found

    def do(self, line: str) -> str:
        """Execute a command; its output. RuntimeError with gdb's error."""
        return self._ask(line)[0]

    def machine(self, line: str) -> dict[str, Any]:
        """The result of a command of the machine interface. RuntimeError with gdb's error."""
        return self._ask(line)[1]

    def _ask(self, line: str) -> tuple[str, dict[str, Any]]:
        token = "-" if line.startswith("-") else ""
        text = line if token else f'-interpreter-exec console "{_quoted(line)}"'
        self._controller.write(text, read_response=False)
        said, end = "", time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            for record in self._read():
                if record["type"] in ("console", "target", "log"):
                    said += record["payload"] or ""
                if record["type"] == "result":
                    if record["message"] == "error":
                        raise RuntimeError(record["payload"]["msg"])
                    return said, record["payload"] or {}
        raise TimeoutError(f"{line}: {said}")

    def wait(self) -> dict[str, Any]:
        """The next stop."""
        end = time.monotonic() + TIMEOUT_S
        while not self.stops:
            if time.monotonic() > end:
                raise TimeoutError("the target goes on")
            self._read()
        return self.stops.pop(0)

    def go(self, line: str = "continue") -> dict[str, Any]:
        """A command that lets the target run, until it stops."""
        self.stops.clear()
        self.do(line)
        return self.wait()

    def value(self, expression: str) -> str:
        """What `print` shows."""
        return self.do(f"print {expression}").strip().partition(" = ")[2]

    def attach(self, port: int, extended: bool = False) -> None:
        self.do(f"target {'extended-' if extended else ''}remote 127.0.0.1:{port}")
        self.stops.clear()


def _quoted(line: str) -> str:
    return line.replace("\\", "\\\\").replace('"', '\\"')
