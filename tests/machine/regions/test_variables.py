"""The variables RVPLAT_REGIONS and RVPLAT_DUMP: what they override, and values that can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvplat.errors import HostError
from tests.machine.regions.forced import inside, machine_of, run_to_end
from tests.machine.small_guests import POWER_OFF

PROGRAM = "li s0, 100\n1: addi s0, s0, -1\nbnez s0, 1b\n" + POWER_OFF


@pytest.mark.parametrize(("value", "mode"), [("off", "off"), ("all", "all"), ("", "hot")])
def test_the_variable_overrides_the_board(
    monkeypatch: pytest.MonkeyPatch, value: str, mode: str
) -> None:
    monkeypatch.setenv("RVPLAT_REGIONS", value)
    with machine_of(PROGRAM, "hot") as machine:
        assert machine.statistics().regions.mode == mode


@pytest.mark.parametrize(
    ("value", "hint"),
    [("hott", '; did you mean "hot"?'), ("OFF", '; did you mean "off"?'), ("1", "")],
)
def test_an_unknown_value_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, hint: str
) -> None:
    monkeypatch.setenv("RVPLAT_REGIONS", value)
    with pytest.raises(HostError) as caught, machine_of(PROGRAM, "hot"):
        pass
    assert str(caught.value) == f"RVPLAT_REGIONS={value}: expected one of off, hot, all{hint}"


def test_a_dump_that_is_no_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("RVPLAT_DUMP", str(file))
    with pytest.raises(HostError) as caught, machine_of(PROGRAM, "hot"):
        pass
    assert str(caught.value) == f"RVPLAT_DUMP={file}: can't be made a folder: File exists"


def test_a_dump_that_cannot_be_written_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder is removed while the guest runs. A log line says so, and the interpreter goes
    on."""
    with machine_of(PROGRAM, "off") as machine:
        expected = run_to_end(machine)
    monkeypatch.setenv("RVPLAT_DUMP", str(tmp_path / "folder"))
    with machine_of(PROGRAM, "all") as machine:
        for path in (tmp_path / "folder").iterdir():
            path.unlink()
        (tmp_path / "folder").rmdir()
        assert run_to_end(machine) == expected
        assert inside(machine) == 0
    assert len(caplog.messages) == 4, "each of two pages is tried twice"
    for message in caplog.messages:
        assert "stays in the interpreter: FileNotFoundError: " in message
