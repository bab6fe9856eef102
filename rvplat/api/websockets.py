"""The API at a loopback websocket, and the page beside it. It needs the packages of the `web`
extra.

A foreign page can't get in: a browser sends the page's origin, which must be the server's own; the
Host header must name the loopback interface, so that no other name leads here; and the first
message has the token."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from typing import TYPE_CHECKING, Any

from rvplat.api.assets import Asset, find_asset
from rvplat.api.door import Door, cut
from rvplat.api.interfaces import Served
from rvplat.api.session import LONGEST, Session
from rvplat.errors import HostError
from rvplat.listening import listen_tcp

if TYPE_CHECKING:
    from websockets.http11 import Request, Response
    from websockets.sync.server import ServerConnection

HELLO_S = 10.0
CLOSE_S = 1.0
BACKLOG = 16
MOST_STRANGERS = 64  # websockets that have not said the token
NAMES = ("127.0.0.1", "localhost")
HTTP_PORT = 80  # which a browser leaves out of the name
API_PATH = "/api"
MISSING = "it needs packages that are not installed: pip install 'rvplat[web]'"
#: Nothing leaves this host: a page may load from its own server only. xterm.js makes styles.
POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
log = logging.getLogger("rvplat.api.websockets")
log.setLevel(logging.CRITICAL)  # the library's own messages about clients that vanish


class WebListener:
    """A port of the loopback interface. `page`: it serves the page too."""

    def __init__(self, api: Served, port: int, origin: str, page: bool = False) -> None:
        try:
            from websockets.sync.server import serve
        except ImportError:
            raise HostError(f"{origin}: {MISSING}") from None
        self._api = api
        self._page = page
        self._strangers = threading.Semaphore(MOST_STRANGERS)
        listener = listen_tcp(str(port), origin, "use this machine", log.warning, BACKLOG)
        self._door = Door(listener)
        self.port = int(self._door.getsockname()[1])
        self._number = 0
        self._talking: set[socket.socket] = set()  # the connections that are websockets
        self._server = serve(
            self._serve, sock=self._door, process_request=self._answer, compression=None,
            max_size=LONGEST, open_timeout=HELLO_S, close_timeout=CLOSE_S, server_header=None,
            logger=log,
        )  # fmt: skip
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="api web", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Accept nobody any more, and end the connections."""
        self._door.close()
        self._door.send_away(set(self._talking))
        self._server.shutdown(code=1001, reason="the machine has ended")
        self._thread.join(CLOSE_S)

    # --- HTTP ---

    @property
    def _hosts(self) -> tuple[str, ...]:
        whole = tuple(f"{name}:{self.port}" for name in NAMES)
        return whole + NAMES if self.port == HTTP_PORT else whole

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; to HEAD without the body."""
        method = getattr(request, "method", "GET")  # old versions of the library take only GET
        response = self._answer_to(method, connection, request)
        if response is not None and method == "HEAD":
            response.body = b""
        return response

    def _answer_to(
        self, method: str, connection: ServerConnection, request: Request
    ) -> Response | None:
        """The answer to a request that asks for no websocket, or for one that it may not have."""
        hosts, origins = request.headers.get_all("Host"), request.headers.get_all("Origin")
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return self._response(connection, 403, b"this host has another name\n")
        if (
            any(one.removeprefix("http://") not in self._hosts for one in origins)
            or len(origins) > 1
        ):
            return self._response(connection, 403, b"another page may not use the API\n")
        if method not in ("GET", "HEAD"):
            refused = self._response(connection, 405, b"only GET and HEAD are served\n")
            refused.headers["Allow"] = "GET, HEAD"
            return refused
        path = request.path.partition("?")[0]
        if path == API_PATH:
            return None
        asset = find_asset(path) if self._page else None
        if asset is None:
            return self._response(connection, 404, b"there is no such file\n")
        return self._response(connection, 200, asset.data, asset)

    def _response(
        self, connection: ServerConnection, status: int, data: bytes, asset: Asset | None = None
    ) -> Response:
        response = connection.respond(status, "")
        for name in ("Content-Length", "Content-Type"):
            del response.headers[name]
        response.headers["Content-Length"] = str(len(data))
        response.headers["Content-Type"] = asset.kind if asset else "text/plain; charset=utf-8"
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-cache"
        response.body = data
        return response

    # --- websockets ---

    def _serve(self, connection: ServerConnection) -> None:
        if not self._strangers.acquire(blocking=False):
            return
        self._number += 1
        session = Session(
            self._api, connection.send, lambda: cut(connection.socket), f"web {self._number}"
        )
        known = False
        self._talking.add(connection.socket)
        try:
            known = self._converse(connection, session)
        finally:
            if not known:
                self._strangers.release()
            session.finish()
            self._talking.discard(connection.socket)

    def _converse(self, connection: ServerConnection, session: Session) -> bool:
        """Serve the messages of a client until it goes; returns whether it has said the token."""
        from websockets.exceptions import ConnectionClosed

        known = False
        with contextlib.suppress(ConnectionClosed, TimeoutError, OSError):
            while session.receive(_text(connection.recv(None if known else HELLO_S))):
                if not known:
                    known = True
                    self._strangers.release()
        return known


def _text(message: Any) -> str | bytes:
    return message if isinstance(message, str) else bytes(message)
