"""A client: its requests, and the queue of what is sent to it.

A client that does not read is disconnected when its queue is full; nothing else waits for it.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from rvplat.api.errors import (
    ApiError,
    BadParameter,
    BadRequest,
    NoJson,
    NoMethod,
    NotAllowed,
    NotNow,
)
from rvplat.api.interfaces import Served
from rvplat.api.registry import METHODS, Method
from rvplat.errors import BusError, RvplatError

log = logging.getLogger("rvplat.api")
LONGEST = 1 << 20  # bytes of a message
MOST_WAITING = 1000  # messages that wait until the client reads
MOST_BYTES = 8 << 20  # of them
LONGEST_ANSWER = 4 << 20  # bytes of the answer to a message
MOST_IN_BATCH = 100
FINISH_S = 1.0  # how long a client may take to read the rest
HELLO = "hello"
#: Errors of the machine's own methods, which say what was wrong with the request.
_TOLD = (RvplatError, BusError, ValueError, TypeError, LookupError, RuntimeError)


class Session:
    """One client. `send_text` sends a message, and may block; `cut` ends the connection from
    another thread."""

    def __init__(
        self, api: Served, send_text: Callable[[str], None], cut: Callable[[], None], name: str
    ) -> None:
        self.api = api
        self.name = name
        self.is_known = False  # it has said the token
        self.closed = False
        self.events: dict[str, float] = {}  # what it has subscribed to, and how often in seconds
        self._send_text = send_text
        self._cut = cut
        self._queue: queue.Queue[str | None] = queue.Queue(MOST_WAITING)
        self._bytes = 0
        self._count = threading.Lock()
        self._writer = threading.Thread(target=self._write, name=f"api {name}", daemon=True)
        self._writer.start()

    # --- sending ---

    def send(self, message: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Queue a message, from any thread."""
        self._put(_text_of(message))

    def _answer(self, replies: dict[str, Any] | list[dict[str, Any]]) -> None:
        """Queue the replies to a message, or say that they are too long."""
        text = _text_of(replies)
        if len(text) > LONGEST_ANSWER:
            longest = f"the longest has {LONGEST_ANSWER}: ask for less at once"
            error = ApiError(f"the answer has {len(text)} bytes: {longest}")
            if isinstance(replies, list):
                text = _text_of([_failure(one["id"], error) for one in replies])
            else:
                text = _text_of(_failure(replies["id"], error))
        self._put(text)

    def _put(self, text: str) -> None:
        with self._count:
            full = self._bytes + len(text) > MOST_BYTES or self._queue.full()
            if not full and not self.closed:
                self._bytes += len(text)
                self._queue.put_nowait(text)
        if full and not self.closed:
            log.warning("the API's client %s reads nothing: it was disconnected", self.name)
            self.close()

    def notify(self, event: str, params: Any) -> None:
        """Send an event, if the client has subscribed to it."""
        if event in self.events:
            self.send({"jsonrpc": "2.0", "method": event, "params": params})

    def _write(self) -> None:
        while (text := self._queue.get()) is not None:
            with self._count:
                self._bytes -= len(text)
            try:
                self._send_text(text)
            except Exception as error:  # the transport's: the client has gone
                log.debug("client %s: %s", self.name, error)
                break
        self.close()

    def finish(self) -> None:
        """Send what is queued, then end the connection, also of a client that does not read."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            self.close()
        self._writer.join(FINISH_S)
        if self._writer.is_alive():
            self.close()

    def close(self) -> None:
        """End the connection. A second call does nothing."""
        with self._count:
            if self.closed:
                return
            self.closed = True
        self._cut()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        self.api.left(self)

    # --- requests ---

    def receive(self, text: str | bytes) -> bool:
        """Serve a message. Returns whether the connection goes on."""
        try:
            message = _parsed(text)
        except ApiError as error:
            self.send(_failure(None, error))
            return not isinstance(error, NoJson)
        if isinstance(message, list):
            replies = self._batch(message)
            if replies:
                self._answer(replies)
        else:
            reply = self._served(message)
            if reply is not None:
                self._answer(reply)
        return self.is_known

    def _batch(self, requests: list[Any]) -> list[dict[str, Any]]:
        """The replies to several requests. If all of them only look at the machine, it stands still
        once for all."""

        def serve() -> list[dict[str, Any]]:
            return [one for one in map(self._served, requests) if one is not None]

        names = [one.get("method") if isinstance(one, dict) else None for one in requests]
        looks = all(
            isinstance(n, str) and n in METHODS and METHODS[n].use == "still" for n in names
        )
        if not looks or not self.is_known:
            return serve()
        try:
            return self.api.control.still(serve)
        except NotNow as error:
            return [_failure(one.get("id"), error) for one in requests]

    def _served(self, request: Any) -> dict[str, Any] | None:
        """The reply to a request. None for a notification, which has no id, even if it fails
        (JSON-RPC 2.0, 4.1); but who has not said the token, or sends no request, is told."""
        reply = self._reply(request)
        if not self.is_known or reply.get("error", {}).get("code") == BadRequest.code:
            return reply
        return reply if "id" in request else None

    def _reply(self, request: Any) -> dict[str, Any]:
        number = request.get("id") if isinstance(request, dict) else None
        try:
            result = self._result(request)
        except ApiError as error:
            return _failure(number, error)
        except _TOLD as error:
            return _failure(number, ApiError(_words(error)))
        except Exception:
            log.exception("the API: %s", request)
            return _failure(number, ApiError("rvplat failed: its log says how"))
        return {"jsonrpc": "2.0", "id": number, "result": result}

    def _result(self, request: Any) -> Any:
        name = _method_of(request)
        if not self.is_known and name != HELLO:
            raise NotAllowed('say hello with the token first: {"method": "hello", ...}')
        if name == HELLO:
            return self._hello(request.get("params", {}))
        if name not in METHODS:
            raise NoMethod(f"there is no method {name}: api.schema lists them")
        method = METHODS[name]
        arguments = method.arguments(request.get("params", {}))
        return self._called(method, arguments)

    def _called(self, method: Method, arguments: dict[str, Any]) -> Any:
        control = self.api.control
        if method.use == "free":
            return method.function(self, **arguments)
        use = control.still if method.use == "still" else control.stopped
        return use(lambda: method.function(self, **arguments))

    def _hello(self, params: Any) -> dict[str, Any]:
        token = params.get("token") if isinstance(params, dict) else None
        if not isinstance(token, str):
            raise BadParameter("hello: expected the parameter token, a string")
        said, known = (one.encode(errors="surrogatepass") for one in (token, self.api.token))
        if not hmac.compare_digest(said, known):
            raise NotAllowed("hello: this is not the token")
        if not self.is_known:
            self.api.joined(self)
            self.is_known = True
        return self.api.greeting()


def _parsed(text: str | bytes) -> Any:
    if len(text) > LONGEST:
        raise NoJson(f"a message of {len(text)} bytes: the longest has {LONGEST}")
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        raise NoJson("the message is no JSON") from None
    if isinstance(message, list) and not 0 < len(message) <= MOST_IN_BATCH:
        raise BadRequest(f"a batch of {len(message)}: expected 1 to {MOST_IN_BATCH}")
    return message


def _text_of(message: dict[str, Any] | list[dict[str, Any]]) -> str:
    return json.dumps(message, separators=(",", ":"))


def _method_of(request: Any) -> str:
    if not isinstance(request, dict) or request.get("jsonrpc") != "2.0":
        raise BadRequest('expected {"jsonrpc": "2.0", "id": 1, "method": "...", "params": {...}}')
    name = request.get("method")
    if not isinstance(name, str):
        raise BadRequest("the request's method is no string")
    if not isinstance(request.get("id"), int | str | None) or isinstance(request.get("id"), bool):
        raise BadRequest("the request's id is no number, string or null")
    return name


def _failure(number: Any, error: ApiError) -> dict[str, Any]:
    known = number if isinstance(number, int | str) else None
    return {"jsonrpc": "2.0", "id": known, "error": {"code": error.code, "message": str(error)}}


def _words(error: BaseException) -> str:
    """An error's message. A KeyError would quote it."""
    return str(error.args[0]) if isinstance(error, LookupError) and error.args else str(error)
