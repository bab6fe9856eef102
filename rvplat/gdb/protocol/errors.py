"""What a command may raise. session.py makes the replies of these errors."""

from __future__ import annotations


class GdbError(Exception):
    """The request can't be done. The reply is `E.text`, which gdb shows to its user."""


class Unavailable(GdbError):
    """The value of a register is not known now: gdb shows <unavailable>."""


class Malformed(GdbError):
    """The packet doesn't follow its grammar. The reply is E01."""


class Unsupported(Exception):
    """The packet, or this form of it, isn't known. The reply is empty."""


class DeviceRefused(GdbError):
    """An access of a device register, which the client's user has not allowed."""
