"""A device's settings: checked, made, and described in JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from rvplat.bus import check_settings, make_settings, setting, settings_of, settings_schema
from rvplat.bus.settings import SettingFault
from rvplat.errors import DeviceError


@dataclass(frozen=True)
class Sample:
    """Settings of every kind."""

    image: Path = setting("a file")
    size: int = setting("a size", 4, minimum=1, maximum=8)
    fast: bool = setting("whether", False)
    mode: Literal["one", "two"] = setting("which", "one")
    name: str | None = setting("a name", None)
    level: int = setting("a level", 1, minimum=1)


def test_faults_come_all_at_once() -> None:
    faults = check_settings(
        Sample,
        {"sise": 1, "size": 9, "fast": 1, "mode": "three", "name": 7, "level": True},
    )
    names = "image, size, fast, mode, name, level"
    assert faults == [
        SettingFault("sise", "an unknown key", names, "size"),
        SettingFault("size", "9", "an integer from 1 to 8"),
        SettingFault("fast", "1", "true or false"),
        SettingFault("mode", "'three'", "one of 'one', 'two'"),
        SettingFault("name", "7", "a string"),
        SettingFault("level", "True", "an integer of at least 1"),
        SettingFault("image", "nothing", "a file name"),
    ]


def test_values_become_settings() -> None:
    values = {"image": "disk.img", "mode": "two"}
    assert check_settings(Sample, values) == []
    assert make_settings(Sample, values) == Sample(image=Path("disk.img"), mode="two")


def test_schema() -> None:
    schema = settings_schema(Sample)
    assert schema["image"] == {"type": "string", "description": "a file"}
    assert schema["size"] == {
        "type": "integer", "description": "a size", "minimum": 1, "maximum": 8, "default": 4,
    }  # fmt: skip
    assert schema["mode"]["enum"] == ["one", "two"]


def test_a_type_that_toml_lacks_is_refused() -> None:
    @dataclass(frozen=True)
    class Wrong:
        """Not a type of a setting."""

        value: complex = setting("?", 1j)

    with pytest.raises(DeviceError, match=r"Wrong\.value: a setting is bool, int, str, Path or"):
        settings_of(Wrong)
