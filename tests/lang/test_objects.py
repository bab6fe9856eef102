"""Object code is kept, and a torn, missing or unwritable cache does no harm."""

import multiprocessing
from pathlib import Path

import pytest

from rvplat.lang import define, u64
from rvplat.lang.functions import module_text
from rvplat.lang.objects import (
    Dumps,
    NativeCode,
    compile_text,
    load_cached,
    save_cached,
)
from rvplat.lang.unit import Unit


@define
def double(a: u64) -> u64:
    return a + a


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


def test_dumps_show_every_stage(tmp_path: Path):
    unit = Unit({})
    unit.export(double, "double")
    dumps = Dumps(tmp_path / "ir", tmp_path / "optimised", tmp_path / "assembly")
    NativeCode(compile_text(module_text(unit), dumps))
    assert "alloca" in (tmp_path / "ir").read_text()
    assert "alloca" not in (tmp_path / "optimised").read_text()
    assert "double:" in (tmp_path / "assembly").read_text()
