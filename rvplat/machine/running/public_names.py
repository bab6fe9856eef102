"""What `help` and completion show of a class: what its users call, and nothing of its insides."""

from __future__ import annotations

from typing import ClassVar


class PublicNames(type):
    """The metaclass of classes that say in `public` what users see."""

    public: ClassVar[tuple[str, ...]] = ()

    def __dir__(cls) -> list[str]:
        return [*cls.public, "__doc__", "__module__"]
