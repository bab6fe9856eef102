"""`rvplat run --record` and `--replay` as processes."""

from __future__ import annotations

from pathlib import Path

from tests.cli.test_run_command import rvplat
from tests.machine.small_guests import HELLO, guest

VIRTUAL = ("--set", "clock=virtual")


def test_a_recording_is_replayed_with_its_machine(tmp_path: Path) -> None:
    program, recording = guest(HELLO), tmp_path / "recording"
    done = rvplat("run", "virt", program, *VIRTUAL, "--harts", 2, "--record", recording)
    again = rvplat("run", "--replay", recording, "--set", "harts.regions=off")
    assert (done.returncode, again.returncode) == (0, 0), again.stderr
    assert again.stdout == done.stdout != b""


def test_what_writes_files_is_not_taken_from_a_recording(tmp_path: Path) -> None:
    """A recording may come from anybody."""
    program, recording = guest(HELLO), tmp_path / "recording"
    names = ["trace", "profile", "save", "signature"]
    written = {name: tmp_path / name for name in names}
    options = [word for name in names for word in (f"--{name}", written[name])]
    done = rvplat("run", "virt", program, *VIRTUAL, *options[:2], "--record", recording)
    assert done.returncode == 0, done.stderr
    text = recording.read_text()
    more = "".join(f', "{word}"' for word in map(str, options[2:]))
    recording.write_text(text.replace(f'"{written["trace"]}"', f'"{written["trace"]}"{more}', 1))
    written["trace"].unlink()
    own = tmp_path / "own"
    again = rvplat("run", "--replay", recording, "--trace", own)
    assert again.returncode == 0, again.stderr
    assert own.stat().st_size > 0
    assert not any(path.exists() for path in written.values())


def test_plugins_are_named_again(tmp_path: Path) -> None:
    program, recording, plugin = guest(HELLO), tmp_path / "recording", tmp_path / "plugin.py"
    plugin.write_text("print('the plugin runs')\n")
    words = ("run", "virt", program, *VIRTUAL, "--plugin", plugin)
    done = rvplat(*words, "--record", recording)
    assert b"the plugin runs" in done.stdout
    again = rvplat("run", "--replay", recording)
    assert b"the plugin runs" not in again.stdout + again.stderr
    again = rvplat("run", "--replay", recording, "--plugin", plugin)
    assert again.stdout == done.stdout
