"""Errors that a device model's own code raises while a machine is built, reset or closed."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rvplat.bus.failures import DidNotReturn
from rvplat.errors import PluginError, RvplatError
from rvplat.pluginmanager import PATH_PREFIX

if TYPE_CHECKING:
    from rvplat.bus.device import Device


@contextmanager
def model_errors(model: type[Device], device: str, doing: str) -> Iterator[None]:
    """Turn what a model raises into a PluginError with its traceback. An RvplatError passes."""
    try:
        yield
    except RvplatError:
        raise
    except (Exception, DidNotReturn) as error:
        what = f"{model.model} raised while {doing} devices.{device}: {error!r}"
        raise PluginError(_plugin_of(model), what, traceback.format_exc()) from error


def _plugin_of(model: type[Device]) -> str:
    """The module of a model. For a plugin that was loaded by path, its file: rvplat invents the
    module name then."""
    module = model.__module__
    made_up = module.startswith(PATH_PREFIX) and module in sys.modules
    return str(sys.modules[module].__file__) if made_up else module
