"""The parts of a profile, and which of them rvplat has: for `rvplat isa` and the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rvplat.frozen import frozen
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.ratifications import ratifications


@frozen
class Part:
    """An extension that a profile names. `extension` is None if rvplat lacks it."""

    name: str
    extension: Extension | None

    @property
    def version(self) -> str:
        """Its version here; "missing" if rvplat lacks it."""
        return "missing" if self.extension is None else self.extension.version

    @property
    def title(self) -> str:
        """What it is."""
        if self.extension is not None:
            return self.extension.title
        found = ratifications().get(self.name)
        return found.chapter if found else ""

    @property
    def ratified(self) -> str:
        """The year and month of its ratification, if rvplat knows it."""
        found = ratifications().get(self.name)
        return found.when if found else ""


def parts_of(names: Iterable[str], known: Mapping[str, Extension]) -> list[Part]:
    """The parts with these names, in the profile's order."""
    return [Part(name, known.get(name)) for name in names]


def missing_of(names: Iterable[str], known: Mapping[str, Extension]) -> list[str]:
    """The names that no extension has."""
    return [name for name in names if name not in known]
