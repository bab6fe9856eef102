"""What the API answers instead of a result, with JSON-RPC's codes (JSON-RPC 2.0, 5.1)."""

from __future__ import annotations


class ApiError(Exception):
    """The base class: an error for the client, with its `code`."""

    code = -32000


class NoJson(ApiError):
    """A message that is no JSON, or is too long."""

    code = -32700


class BadRequest(ApiError):
    """JSON that is no request."""

    code = -32600


class NoMethod(ApiError):
    """A request for a method that does not exist."""

    code = -32601


class BadParameter(ApiError):
    """A parameter of the wrong type, a missing one, or one too many."""

    code = -32602


class NotNow(ApiError):
    """A request that the machine's state does not allow: it runs, or has ended."""

    code = -32001


class NotAllowed(ApiError):
    """A client that has not said the token."""

    code = -32002
