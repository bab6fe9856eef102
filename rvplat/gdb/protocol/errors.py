"""What a command may raise. One place (session.py) makes a reply of it."""

from __future__ import annotations


class GdbError(Exception):
    """The request can't be met: `E.text`, which gdb shows to its user."""


class Unavailable(GdbError):
    """A register whose value nobody knows now: gdb shows <unavailable>."""


class Malformed(GdbError):
    """The packet doesn't follow its grammar: E01."""


class Unsupported(Exception):
    """The packet isn't known, or not in this form: the empty reply."""


class DeviceRefused(GdbError):
    """An access of a device's registers, which the client has not allowed."""
