"""Whose fault it is when a device model's own code raises while a machine is built."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rvplat.errors import PluginError, RvplatError

if TYPE_CHECKING:
    from rvplat.bus.device import Device


@contextmanager
def blamed(model: type[Device], device: str, doing: str) -> Iterator[None]:
    """Turn what a model raises into a PluginError with its traceback; our own errors pass."""
    try:
        yield
    except RvplatError:
        raise
    except Exception as error:
        what = f"{model.model} raised while {doing} devices.{device}: {error!r}"
        raise PluginError(model.__module__, what, traceback.format_exc()) from error
