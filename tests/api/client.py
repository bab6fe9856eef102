"""A client of the machine API at a Unix socket, and a check of results against the schema."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOKEN = "a token for the tests of the API"
WAIT_S = 60


class Refused(Exception):
    """The API's answer was an error."""


class Client:
    """Calls methods: `client("harts.list")`. `events` are those that came meanwhile."""

    def __init__(self, path: Path, token: str | None = TOKEN) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(WAIT_S)
        self._socket.connect(str(path))
        self._file = self._socket.makefile("rb")
        self._number = 0
        self.events: list[tuple[str, Any]] = []
        if token is not None:
            self("hello", token=token)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def hang_up(self) -> None:
        """Send nothing more."""
        self._socket.shutdown(socket.SHUT_WR)

    def read(self) -> Any:
        """The next message; None if the connection has ended."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def __call__(self, method: str, **params: Any) -> Any:
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self.send(json.dumps(request).encode() + b"\n")
        while (reply := self.read()) is not None and reply.get("id") != self._number:
            self.events.append((reply["method"], reply["params"]))
        if "error" in reply:
            raise Refused(f"{reply['error']['code']}: {reply['error']['message']}")
        return reply["result"]

    def until(self, wanted: Callable[[str, Any], bool]) -> Any:
        """Wait for an event; returns its params."""
        while True:
            while self.events:
                event, params = self.events.pop(0)
                if wanted(event, params):
                    return params
            message = self.read()
            self.events.append((message["method"], message["params"]))

    def stopped(self) -> Any:
        """Wait until the machine stands still. The client has subscribed to `state`."""
        return self.until(lambda event, params: event == "state" and params["state"] != "running")


def conforms(schema: dict[str, Any], value: Any) -> bool:
    """Whether a value is as JSON Schema says, as far as the API's schema goes."""
    if "anyOf" in schema:
        return any(conforms(one, value) for one in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    kinds: dict[str, Any] = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
        "boolean": bool, "null": type(None),
    }  # fmt: skip
    if "type" not in schema:
        return True
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if schema["type"] == "object":
        known, others = schema.get("properties", {}), schema.get("additionalProperties")
        return set(schema.get("required", ())) <= set(value) and all(
            conforms(known.get(key) or others or {}, one) for key, one in value.items()
        )
    if schema["type"] == "array":
        return all(conforms(schema["items"], one) for one in value)
    return not isinstance(value, str) or re.search(schema.get("pattern", ""), value) is not None
