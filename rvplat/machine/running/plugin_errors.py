"""Whose fault it is: a device model's whose own code raises while a machine is built or reset, an
instruction's that does not come back."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rvplat.bus.failures import DidNotReturn
from rvplat.errors import BusError, PluginError, RvplatError
from rvplat.hart.csr import installed

if TYPE_CHECKING:
    from rvplat.bus.device import Device
    from rvplat.isa.machinery.csr_rows import Csr
    from rvplat.lang import Definition
    from rvplat.machine.hart import Hart


@contextmanager
def blamed(model: type[Device], device: str, doing: str) -> Iterator[None]:
    """Turn what a model raises into a PluginError with its traceback; our own errors pass."""
    try:
        yield
    except RvplatError:
        raise
    except (Exception, DidNotReturn) as error:
        what = f"{model.model} raised while {doing} devices.{device}: {error!r}"
        raise PluginError(_plugin_of(model), what, traceback.format_exc()) from error


def _plugin_of(model: type[Device]) -> str:
    """The file, if it was given by its path: such a module's name is of our making."""
    from rvplat.pluginmanager import PATH_PREFIX

    module = model.__module__
    made_up = module.startswith(PATH_PREFIX) and module in sys.modules
    return str(sys.modules[module].__file__) if made_up else module


def instruction_at(hart: Hart) -> tuple[str, str]:
    """The instruction at a hart's pc, which has not come back, and the place of its definition: of
    the CSR's that it accesses, if that is what a plugin defines."""
    try:
        bits = int.from_bytes(hart.read(hart.pc, 2), "little")
        if bits & 3 == 3:
            bits |= int.from_bytes(hart.read(hart.pc + 2, 2), "little") << 16
    except BusError:
        return "an instruction", "its memory is not mapped any more"
    entry = next((one for one in hart.table.entries if one.pattern.matches(bits)), None)
    if entry is None:
        return "an instruction", "its memory has changed"
    row = installed.get(bits >> 20) if "csr" in entry.pattern.operands else None
    if row is None:
        return f"the instruction {entry.name}", _place(entry.instruction.definition)
    return f"the instruction {entry.name} of the CSR {row.name}", _csr_place(row)


def _csr_place(row: Csr) -> str:
    """Of the definitions that a CSR row has."""
    found = [one for one in (row.read, row.write, row.access) if one is not None]
    return " or ".join(_place(one) for one in found)


def _place(definition: Definition) -> str:
    return f"{definition.place}, in {definition.name}"
