"""What is kept: a torn, missing or unwritable cache does no harm."""

import importlib.metadata
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest

from rvplat.cache import load_cached, save_cached
from rvplat.entrypoints import EntryPoint, entry_points


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_saved_is_loaded(cache):
    assert load_cached("key") is None
    assert save_cached("key", b"object code") is None
    assert load_cached("key") == b"object code"
    assert load_cached("another key") is None


def test_a_torn_file_is_not_loaded(cache):
    save_cached("key", b"object code" * 100)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert load_cached("key") is None
    file.write_bytes(b"")
    assert load_cached("key") is None


def test_a_folder_that_cannot_be_made_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path / "file" / "cache"))
    problem = save_cached("key", b"object code")
    assert isinstance(problem, OSError)


def _save_often(letter: bytes) -> None:
    for _ in range(50):
        save_cached("key", letter * 50_000)
        assert load_cached("key") in (b"a" * 50_000, b"b" * 50_000)


def test_two_processes_write_at_once(cache):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_save_often, args=[letter]) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [w.exitcode for w in writers] == [0, 0]
    assert [f.suffix for f in cache.iterdir()] == [".bin"]


def _install(folder: Path, name: str, text: str) -> None:
    """As pip does: a folder of metadata."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(text)


def _asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups that importlib.metadata is asked for from now on."""
    asked: list[str] = []
    ask = importlib.metadata.entry_points

    def noted(group: str) -> importlib.metadata.EntryPoints:
        asked.append(group)
        return ask(group=group)

    monkeypatch.setattr("importlib.metadata.entry_points", noted)
    return asked


def test_installed_plugins_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _asked(monkeypatch)
    first = entry_points()
    assert EntryPoint("clint", "rvplat_plugins.clint") in first
    assert (entry_points(), asked) == (first, ["rvplat"])


def test_a_plugin_installed_changed_and_removed_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = entry_points()
    _install(site, "lamp", "[rvplat]\nlamp = lamp_plugin\n")
    assert entry_points() == sorted([*before, EntryPoint("lamp", "lamp_plugin")])
    _install(site, "lamp", "[rvplat]\nlamp = lamp_plugin:inner\n")
    assert EntryPoint("lamp", "lamp_plugin:inner") in entry_points()
    (site / "lamp-1.0.dist-info/entry_points.txt").unlink()
    assert entry_points() == before


def test_an_entry_point_can_name_an_attribute() -> None:
    assert EntryPoint("join", "os.path:join").load() is __import__("os").path.join
    assert EntryPoint("path", "os.path").load() is __import__("os").path


def test_a_warm_start_imports_no_compiler() -> None:
    """What a start with code from the cache doesn't need is not imported: it takes its time."""
    program = """
import sys
from rvplat.cli.main import main
main(["run", "--max-instructions", "1"])
modules = ["rvplat.lang.unit", "rvplat.lang.emitter", "rvplat.engine.handlers",
           "rvplat.engine.fast", "importlib.metadata", "lief"]
print([name for name in modules if name in sys.modules])
"""
    for _ in range(2):  # the first run compiles, if nothing is kept yet
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
    assert done.stdout.splitlines()[-1] == "[]"
