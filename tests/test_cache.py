"""The cache: damaged, missing or unwritable files do no harm; pruning; installed plugins."""

import importlib.metadata
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import platformdirs
import pytest

from rvplat import cache as kept
from rvplat.cache import clear, entries, load_cached, prune, save_cached
from rvplat.cli.main import main
from rvplat.entrypoints import EntryPoint, entry_points


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_saved_is_loaded(cache: Path) -> None:
    assert load_cached("key") is None
    assert save_cached("key", b"object code", "code") is None
    assert load_cached("key") == b"object code"
    assert load_cached("another key") is None


def test_a_damaged_file_is_not_loaded(cache: Path) -> None:
    save_cached("key", b"object code" * 100, "code")
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert load_cached("key") is None
    file.write_bytes(b"")
    assert load_cached("key") is None


def test_the_bytes_of_another_file_are_not_loaded(cache: Path) -> None:
    """A file that was copied over another one is whole, but not what the key stands for."""
    save_cached("key", b"object code", "code")
    (file,) = cache.iterdir()
    save_cached("another key", b"other code", "code")
    (other,) = set(cache.iterdir()) - {file}
    other.write_bytes(file.read_bytes())
    assert load_cached("key") == b"object code"
    assert load_cached("another key") is None


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to itself", "huge"])
def test_what_is_no_file_of_the_cache_is_not_read(cache: Path, kind: str) -> None:
    """A read of it would wait for ever, take all memory, or fail."""
    save_cached("key", b"object code", "code")
    (path,) = cache.iterdir()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        path.touch()
        os.truncate(path, 1 << 40)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    assert load_cached("key") is None
    assert _titles() == []
    problem = save_cached("key", b"new code", "code")
    assert (problem is not None) == (kind == "folder")
    assert load_cached("key") == (None if problem else b"new code")
    assert list(cache.iterdir()) == [path], "no temporary file is left"


def test_a_full_disk_leaves_no_temporary_file(cache: Path) -> None:
    save_cached("key", b"object code", "code")
    kept_files = list(cache.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        assert isinstance(save_cached("key", bytes(5000), "code"), OSError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(cache.iterdir()) == kept_files
    assert load_cached("key") == b"object code"


def test_a_folder_that_cannot_be_made_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path / "file" / "cache"))
    problem = save_cached("key", b"object code", "code")
    assert isinstance(problem, OSError)


def _save_often(letter: bytes) -> None:
    for _ in range(50):
        save_cached("key", letter * 50_000, "code")
        assert load_cached("key") in (b"a" * 50_000, b"b" * 50_000)


def test_two_processes_write_at_once(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_save_often, args=[letter]) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [w.exitcode for w in writers] == [0, 0]
    assert [f.suffix for f in cache.iterdir()] == [".bin"]


@pytest.mark.parametrize("chosen", [None, "", "/somewhere", "/with spaces/é", "relative", "~/x"])
def test_the_folder_is_that_of_the_users_system(
    chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RVPLAT_CACHE")
    if chosen is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", chosen)
    assert kept.cache_folder() == Path(platformdirs.user_cache_dir("rvplat"))


# --- pruning, and the command ---------------------------------------------------------------------

DAY_S = 86_400


def _keep(key: str, days_ago: float, size: int = 100) -> Path:
    """Make a file of the cache that was last used `days_ago`."""
    before = {entry.path for entry in entries()}
    assert save_cached(key, b"x" * size, f"what {key} is") is None
    (new,) = {entry.path for entry in entries()} - before
    os.utime(new, times=(time.time() - days_ago * DAY_S,) * 2)
    return new


def _titles() -> list[str]:
    return [entry.title for entry in entries()]


def test_a_write_removes_old_files(cache: Path) -> None:
    _keep("recent", kept.UNUSED_DAYS - 1)
    old = _keep("old", kept.UNUSED_DAYS + 1)
    assert old.exists()
    save_cached("new", b"", "what new is")
    assert _titles() == ["what new is", "what recent is"]


def test_a_write_removes_the_least_recently_used_files_beyond_the_limit(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "LIMIT_BYTES", 2500)
    for days in (3, 1, 2):
        _keep(f"{days}", days, 1000)
    assert _titles() == ["what 1 is", "what 2 is"]
    save_cached("large", b"x" * 5000, "what large is")
    assert _titles() == ["what large is"], "the written file stays, however large it is"
    assert load_cached("large") == b"x" * 5000


def test_a_file_that_is_used_is_kept(cache: Path) -> None:
    _keep("used", kept.UNUSED_DAYS + 1)
    assert load_cached("used") is not None
    save_cached("new", b"", "what new is")
    assert load_cached("used") is not None


def test_files_of_other_programs_stay(cache: Path) -> None:
    cache.mkdir()
    theirs = [cache / "mine.bin", cache / f"{'a' * 40}.txt", cache / "folder"]
    for path in theirs[:2]:
        path.write_text("theirs")
    theirs[2].mkdir()
    for path in theirs:
        os.utime(path, times=(0, 0))
    save_cached("key", b"", "what key is")
    prune(0)
    clear()
    assert sorted(cache.iterdir()) == sorted(theirs)


def test_an_abandoned_temporary_file_is_removed(cache: Path) -> None:
    _keep("key", 0)
    parts = [cache / f"{'0' * 40}.{name}.part" for name in ("left", "growing")]
    for path in parts:
        path.write_bytes(b"")
    os.utime(parts[0], times=(0, 0))
    prune()
    assert [path.exists() for path in parts] == [False, True]
    clear()
    assert not parts[1].exists()


def test_a_file_of_an_older_version_is_listed_but_not_loaded(cache: Path) -> None:
    path = _keep("key", 1)
    path.write_bytes(b"an older version's")
    assert load_cached("key") is None
    assert _titles() == ["of an older rvplat"]


def test_the_command_shows_and_removes(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"folder: {cache}\nfiles: 0, 0 B\n"
    _keep("one", 0, 3 << 20)
    _keep("two", 2.5, 2000)
    _keep("three", 30, 10)
    assert main(["cache"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:2] == ["files:", "3,"]
    assert [line[2:] for line in lines[4:]] == [
        ["just", "now", "what", "one", "is"],
        ["2", "days", "ago", "what", "two", "is"],
        ["30", "days", "ago", "what", "three", "is"],
    ]
    assert [line[:2] for line in lines[4:6]] == [["3.0", "MiB"], ["2", "KiB"]]
    assert main(["cache", "--prune", "10"]) == 0
    assert capsys.readouterr().out.startswith("removed 1 file, ")
    assert _titles() == ["what one is", "what two is"]
    assert main(["cache", "--prune"]) == 0
    assert capsys.readouterr().out == "removed 0 files, 0 B\n"
    assert main(["cache", "--clear"]) == 0
    assert capsys.readouterr().out.startswith("removed 2 files, 3.0 MiB")
    assert entries() == []


@pytest.mark.parametrize("days", ["-1", "nan", "soon"])
def test_days_that_are_no_valid_number(
    cache: Path, capsys: pytest.CaptureFixture[str], days: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cache", f"--prune={days}"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_help_explains_the_folder_and_the_pruning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cache", "--help"])
    out = capsys.readouterr().out
    assert all(word in out for word in ("RVPLAT_CACHE", "--clear", "--prune", "60 days", "256 MiB"))


def _install(folder: Path, name: str, text: str) -> None:
    """Install a plugin like pip: make its folder of metadata."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(text)


def _asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that records the groups that importlib.metadata is asked for from now on."""
    asked: list[str] = []
    ask = importlib.metadata.entry_points

    def noted(group: str) -> importlib.metadata.EntryPoints:
        asked.append(group)
        return ask(group=group)

    monkeypatch.setattr("importlib.metadata.entry_points", noted)
    return asked


def test_installed_plugins_are_searched_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _asked(monkeypatch)
    first = entry_points()
    assert EntryPoint("clint", "rvplat_plugins.clint") in first
    assert (entry_points(), asked) == (first, ["rvplat"])


def test_installing_changing_and_removing_a_plugin_is_noticed(
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


@pytest.mark.slow
def test_a_warm_start_imports_no_compiler() -> None:
    """A start with code from the cache doesn't import the compiler, which would take time."""
    program = """
import sys
from rvplat.cli.main import main
main(["run", "--max-instructions", "1"])
modules = ["rvplat.lang.checking.check", "rvplat.lang.native.unit",
           "rvplat.lang.native.emit_statements", "rvplat.engine.handlers", "rvplat.engine.fast",
           "importlib.metadata", "lief", "llvmlite.binding", "platform", "platformdirs", "tempfile"]
print([name for name in modules if name in sys.modules])
"""
    for _ in range(2):  # the first run compiles, if the cache is empty
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
    assert done.stdout.splitlines()[-1] == "[]"
