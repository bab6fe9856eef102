"""What boards can be made of: the device models and ISA extensions that are there, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rvplat.bus.device import Device
    from rvplat.isa.extension import Extension


def shipped_boards() -> Path:
    """The folder of the boards that ship with rvplat, installed or in a checkout."""
    spec = find_spec("rvplat_boards")
    if spec is not None and spec.origin is not None:
        return Path(spec.origin).parent
    return Path(__file__).parents[2] / "boards"


@dataclass(frozen=True)
class Catalogue:
    """Everything that plugins registered which a board or a program can need."""

    models: Mapping[str, type[Device]]
    extensions: Mapping[str, Extension]
    loaders: Sequence[Any] = ()
    boards: Sequence[Path] = field(default_factory=lambda: (shipped_boards(),))
