"""Show only the public members of a class in `help` and completion."""

from __future__ import annotations

from typing import ClassVar


class PublicNames(type):
    """The metaclass of classes whose `public` lists the members that users see."""

    public: ClassVar[tuple[str, ...]] = ()

    def __dir__(cls) -> list[str]:
        return [*cls.public, "__doc__", "__module__"]
