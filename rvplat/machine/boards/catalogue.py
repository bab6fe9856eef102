"""The device models and ISA extensions that boards can use, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from rvplat import isa
from rvplat.frozen import frozen
from rvplat.isa.machinery.extension import Extension

if TYPE_CHECKING:
    from rvplat.bus.device import Device
    from rvplat.pluginmanager import Plugins


def shipped_boards() -> Path:
    """The folder of the shipped boards, in an installation or a checkout."""
    spec = find_spec("rvplat_boards")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent
    return Path(__file__).parents[2] / "boards"


@frozen
class Catalogue:
    """Everything registered by plugins that a board or a program can use."""

    models: Mapping[str, type[Device]]
    extensions: Mapping[str, Extension]
    boards: Sequence[Path] = field(default_factory=lambda: (shipped_boards(),))

    @classmethod
    def of(cls, plugins: Plugins) -> Catalogue:
        """The shipped models and extensions, and those that these plugins registered."""
        return cls(
            models=plugins.devices,
            extensions={**shipped_extensions(), **plugins.extensions},
            boards=(*plugins.boards, shipped_boards()),
        )


@cache
def base_extensions(xlen: int = 64) -> tuple[Extension, ...]:
    """The shipped extensions of every architecture: all but those with `rows_in`."""
    return tuple(one.of(xlen) for one in shipped_extensions().values() if not one.rows_in)


@cache
def shipped_extensions() -> dict[str, Extension]:
    """The extensions that the modules of `rvplat.isa` define, by name."""
    found: dict[str, Extension] = {}
    for module in sorted(module.name for module in iter_modules(isa.__path__)):
        for thing in vars(import_module(f"{isa.__name__}.{module}")).values():
            if isinstance(thing, Extension):
                found.setdefault(thing.name, thing)
    return found
