"""Snapshots in files: another process goes on from one, and what does not fit is refused."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rvplat.machine.snapshots.facts as facts
from rvplat import Machine, RvplatError
from rvplat.errors import HistoryError, SnapshotError
from rvplat.machine.snapshots.blocks import BLOCK, FORMAT, HEADER, MAGIC, Reader, Writer
from rvplat.machine.snapshots.encoding import Stream
from tests.machine.snapshots.states import differences, state_of

ROOT = Path(__file__).parents[3]
EGG = ROOT / "plugins" / "examples" / "egg_timer.py"
BOARD = """
extends = "virt"
clock = "virtual"
[memory.ram]
size = "8M"
[devices.egg]
model = "egg-timer"
base = 0x1001_0000
interrupts = [20]
[devices.virtio0]
model = "virtio-blk"
image = "disk.img"
snapshot = true
[devices.virtio1]
model = "virtio-rng"
"""
GO_ON = """
import sys
from rvplat import Machine
with Machine.from_snapshot(sys.argv[1], [sys.argv[2]]) as machine:
    machine.run(max_instructions=int(sys.argv[3]))
    machine.save(sys.argv[4])
"""
MORE = 30_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("snapshots")
    (found / "board.toml").write_text(BOARD)
    (found / "disk.img").write_bytes(bytes(range(256)) * 64)
    shutil.copy(EGG, found / "egg_timer.py")
    return found


def opened(folder: Path, **settings: Any) -> Machine:
    return Machine.open(
        folder / "board.toml", program="demo", plugin_paths=[folder / "egg_timer.py"],
        settings=settings,
    )  # fmt: skip


def write_disk(machine: Machine, data: bytes) -> None:
    machine.devices["virtio0"].disk.write(512, [memoryview(data)])  # type: ignore[attr-defined]


def read_disk(machine: Machine, size: int) -> bytes:
    data = bytearray(size)
    machine.devices["virtio0"].disk.read(512, [memoryview(data)])  # type: ignore[attr-defined]
    return bytes(data)


@pytest.fixture(scope="module")
def saved(folder: Path) -> Iterator[tuple[Path, Machine]]:
    """A file, and the machine that was saved, which stands where it was."""
    with opened(folder) as machine:
        machine.run(max_instructions=20_000)
        machine.console.feed(b"typed")
        machine.bus.write(0x1001_0000, 4, 5)  # the egg timer rings in 5 ms
        write_disk(machine, b"written")
        numbers = machine.devices["virtio1"].numbers(5)  # type: ignore[attr-defined]
        assert len(numbers) == 5
        machine.save(folder / "a.snap")
        yield folder / "a.snap", machine


def test_another_process_goes_on(folder: Path, saved: tuple[Path, Machine]) -> None:
    path, machine = saved
    ended = folder / "ended.snap"
    subprocess.run(
        [sys.executable, "-c", GO_ON, path, folder / "egg_timer.py", str(MORE), ended], check=True
    )
    before = machine.save()
    machine.run(max_instructions=MORE)
    wanted = state_of(machine)
    machine.load(before)
    with Machine.from_snapshot(ended, [folder / "egg_timer.py"]) as other:
        assert differences(wanted, state_of(other)) == []


def test_two_machines_of_one_file(folder: Path, saved: tuple[Path, Machine]) -> None:
    """Devices, disk, console input and alarms are there; the base of the disk is as it was."""
    path, machine = saved
    plugins = [folder / "egg_timer.py"]
    with (
        Machine.from_snapshot(path, plugins) as one,
        Machine.from_snapshot(machine.save(), plugins) as two,
    ):
        for found in (one, two):
            assert differences(state_of(machine), state_of(found)) == []
            assert found.bus.read(0x1001_0004, 4) == 5
            assert read_disk(found, 7) == b"written"
        write_disk(one, b"another")
        assert read_disk(two, 7) == b"written"
        one.load(path)
        assert read_disk(one, 7) == b"written"
        assert one.devices["virtio1"].numbers(9) == two.devices["virtio1"].numbers(9)  # type: ignore[attr-defined]
        one.reset()
        assert one.harts[0].pc == two.plan.entry, "the software is in the snapshot too"
    assert (folder / "disk.img").read_bytes() == bytes(range(256)) * 64


def refusal(path: Path, folder: Path) -> str:
    with pytest.raises(RvplatError) as found:
        Machine.from_snapshot(path, [folder / "egg_timer.py"])
    assert isinstance(found.value, SnapshotError), found.value
    assert "\n" not in str(found.value)
    return str(found.value)


def test_a_file_that_is_not_whole(
    folder: Path, saved: tuple[Path, Machine], tmp_path: Path
) -> None:
    data = saved[0].read_bytes()
    bad = tmp_path / "bad.snap"
    assert refusal(bad, folder) == f"{bad}: No such file or directory"
    bad.write_bytes(b"\x7fELF" + bytes(100))
    assert refusal(bad, folder) == f"{bad}: it is not a snapshot of rvplat"
    for size in (40, 72, 5000, len(data) - 1):
        bad.write_bytes(data[:size])
        assert refusal(bad, folder) == f"{bad}: a torn snapshot: it ends early"
    for at in (2000, len(data) - 50):
        bad.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert refusal(bad, folder).startswith(f"{bad}: a damaged snapshot: ")
    _, _, _, at, size, digest = HEADER.unpack(data[: HEADER.size])
    newer = HEADER.pack(MAGIC, FORMAT + 1, 0, at, size, digest)
    bad.write_bytes(newer + data[HEADER.size :])
    assert refusal(bad, folder) == (
        f"{bad}: a snapshot of a newer rvplat: its format is {FORMAT + 1}, and this version reads "
        f"up to {FORMAT}"
    )


def test_a_damaged_memory_changes_nothing(
    folder: Path, saved: tuple[Path, Machine], tmp_path: Path
) -> None:
    """RAM is read last, and the damage is found only then."""
    path, to = saved[0], tmp_path / "bad.snap"
    reader = Reader(path)
    at, stored, _ = reader.blocks[reader.index["memory"]["pages"][-1]]
    reader.close()
    data = bytearray(path.read_bytes())
    data[at + stored // 2] ^= 1
    to.write_bytes(data)
    with opened(folder) as machine:
        machine.run(max_instructions=10_000)
        before = state_of(machine)
        for _ in range(2):
            with pytest.raises(SnapshotError, match="a damaged snapshot: block"):
                machine.load(to)
            assert differences(before, state_of(machine)) == []
        machine.load(path)
        assert differences(state_of(saved[1]), state_of(machine)) == []


def test_a_stream_that_is_read_in_parts() -> None:
    whole = bytes(range(23))
    for size in (1, 4, 23, 99):
        stream = Stream(whole[n : n + size] for n in range(0, len(whole), size))
        for start in range(24):
            for end in range(start, 24):
                assert stream.get(start, end - start) == whole[start:end]
        for place in ((0, 24), (24, 0), (-1, 1), (3, -1)):
            with pytest.raises(ValueError, match="beyond"):
                stream.get(*place)
    assert Stream([]).get(0, 0) == b""


def changed(path: Path, to: Path, change: Any) -> Path:
    """A copy of a file whose index somebody has changed, with the right digest."""
    reader = Reader(path)
    writer = Writer(to)
    writer.put(reader.get(range(len(reader.blocks))))
    change(reader.index, writer)
    writer.finish(reader.index)
    reader.close()
    return to


def test_an_index_that_lies(folder: Path, saved: tuple[Path, Machine], tmp_path: Path) -> None:
    """A file from a stranger neither runs code nor takes all memory."""
    path, to = saved[0], tmp_path / "liar.snap"

    def lie(change: Any) -> str:
        return refusal(changed(path, to, change), folder)

    def huge(index: Any, writer: Writer) -> None:
        writer.blocks = [(at, stored, BLOCK) for at, stored, _ in writer.blocks]
        index["stream"] *= 1 << 17

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "the host has" in lie(huge)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < peak + (256 << 10)
    assert "newer rvplat, 99.0" in lie(lambda index, _: index["facts"].update(version="99.0"))
    wrong = "is not as it was written"
    assert wrong in lie(lambda index, _: index.pop("harts"))
    assert wrong in lie(lambda index, _: index["memory"].update(pages=[10**9]))
    assert wrong in lie(lambda index, _: index.update(devices={"x": 1}))
    assert wrong in lie(lambda index, _: index["facts"].update(board=[]))

    def field(name: str, value: bytes) -> Any:
        def change(index: Any, _: Writer) -> None:
            pairs = index["harts"]["t"][0]["d"]
            next(pair for pair in pairs if pair[0] == name)[1] = {"b": value.hex()}

        return change

    assert lie(field("priv", b"\7")) == "hart 0: priv has a value that no hart can have"
    assert lie(field("vlmax", b"\xff" * 8)) == "hart 0: vlmax has a value that no hart can have"
    assert lie(field("pc", b"\7")) == "hart 0: the field pc has another size"

    def alarm(index: Any, _: Writer) -> None:
        text = json.dumps(index["devices"]).replace('"ring"', '"__init__"')
        index["devices"] = json.loads(text)

    assert "that calls __init__" in lie(alarm)


def test_plugins_and_images_that_changed(
    folder: Path, saved: tuple[Path, Machine], tmp_path: Path
) -> None:
    path = saved[0]
    with pytest.raises(SnapshotError) as found:
        Machine.from_snapshot(path)
    source = folder / "egg_timer.py"
    assert str(found.value) == (
        f"the snapshot needs the plugin egg_timer ({source}), which is not loaded: name its file "
        "with --plugin, or in plugin_paths"
    )
    other = tmp_path / "egg_timer.py"
    other.write_text(source.read_text() + "\n# changed\n")
    with pytest.raises(SnapshotError, match="is not the one of the snapshot: its source has chang"):
        Machine.from_snapshot(path, [other])
    image = folder / "disk.img"
    was = image.stat()
    try:
        os.utime(image, (1, 1))  # a copy of the same contents is as good
        Machine.from_snapshot(path, [source]).close()
        facts.sha256_of.cache_clear()
        image.write_bytes(bytes(was.st_size))
        assert refusal(path, folder).endswith("changed since the snapshot: its contents are others")
        image.write_bytes(bytes(512))
        assert refusal(path, folder).endswith(f"it has 512 bytes, and had {was.st_size}")
    finally:
        image.write_bytes(bytes(range(256)) * 64)
        os.utime(image, ns=(was.st_atime_ns, was.st_mtime_ns))


def test_a_full_disk_keeps_the_old_file(saved: tuple[Path, Machine], tmp_path: Path) -> None:
    path = tmp_path / "old.snap"
    path.write_bytes(b"old")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(SnapshotError) as found:
            saved[1].save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert str(found.value) == f"{path}: it could not be written: File too large"
    assert path.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["old.snap"]


def test_a_disk_whose_image_is_written_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "disk.img", tmp_path)
    settings = {"devices.virtio0.snapshot": False, "devices.virtio0.image": tmp_path / "disk.img"}
    with opened(folder, **settings) as machine, pytest.raises(SnapshotError) as found:
        machine.save()
    assert str(found.value).startswith("devices.virtio0: the guest writes to its image, ")


def test_an_overlay_goes_back_and_another_takes_its_place(folder: Path, tmp_path: Path) -> None:
    plugins, overlay = [folder / "egg_timer.py"], tmp_path / "overlay"
    settings = {"devices.virtio0.snapshot": False, "devices.virtio0.overlay": overlay}
    with opened(folder, **settings) as machine:
        write_disk(machine, b"first")
        snapshot = machine.save(tmp_path / "first.snap")
        write_disk(machine, b"second" * 1000)
        machine.load(snapshot)
        assert read_disk(machine, 6) == b"first\5"
        write_disk(machine, b"third")
    with Machine.from_snapshot(tmp_path / "first.snap", plugins) as other:
        assert read_disk(other, 5) == b"first"
    with opened(folder, **settings) as machine:
        assert read_disk(machine, 5) == b"third", "the overlay is as its machine left it"
    new = {"devices.virtio0.overlay": str(tmp_path / "new")}
    with Machine.from_snapshot(tmp_path / "first.snap", plugins, settings=new) as other:
        assert read_disk(other, 5) == b"first"
    assert (tmp_path / "new").exists()


LAMPS = """
from rvplat.bus import Device, Register
from rvplat.hookspecs import hookimpl

class Lamp(Device):
    model = "lamp"
    size = 0x1000
    registers = (Register(0, "WAY", "WAY[31:0]"),)
    unsaved = ("seen",)

    def reset(self):
        super().reset()
        self.colours = []
        self.seen = 0

    def write_way(self, value):
        self.seen += 1
        if value == 1:
            self.colours.append("red")
        elif value == 2:
            self.colours = object()
        elif value == 3:
            self.wiring.clock.call_at(10**9, lambda: self.reset())
        elif value == 4:
            self.wiring.clock.call_at(10**9, self.reset)

@hookimpl
def rvplat_devices():
    return [Lamp]
"""


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (0, ""),
        (1, "devices.lamp: the model lamp does not save colours: name it in `state`, or in "),
        (3, "devices.lamp: an alarm that its save does not save ("),
        (4, "devices.lamp: an alarm that its save does not save ("),
    ],
)
def test_a_device_without_a_whole_save(tmp_path: Path, way: int, message: str) -> None:
    (tmp_path / "lamp.py").write_text(LAMPS)
    settings = {"devices.lamp.model": "lamp", "devices.lamp.base": 0x1001_0000}
    with Machine.open(
        "virt", program="demo", plugin_paths=[tmp_path / "lamp.py"], settings=settings
    ) as machine:
        machine.bus.write(0x1001_0000, 4, way)
        if not message:
            machine.save()
            return
        with pytest.raises(SnapshotError) as found:
            machine.save()
        assert str(found.value).startswith(message)
        assert machine.step(5).reason == "step"


def test_a_history_of_such_a_device(tmp_path: Path) -> None:
    """It ends with the reason, and the run goes on."""
    (tmp_path / "lamp.py").write_text(LAMPS)
    settings = {"devices.lamp.model": "lamp", "devices.lamp.base": 0x1001_0000, "clock": "virtual"}
    with Machine.open(
        "virt", program="demo", plugin_paths=[tmp_path / "lamp.py"], settings=settings
    ) as machine:
        machine.keep_history()
        machine.bus.write(0x1001_0000, 4, 1)
        assert machine.step(5).reason == "step"
        with pytest.raises(HistoryError, match="no history is kept: devices.lamp: the model lamp"):
            machine.reverse_step()
        assert machine.step(5).reason == "step"
