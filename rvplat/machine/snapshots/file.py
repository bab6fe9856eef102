"""Snapshots as files: what is in the index, and in which blocks. blocks.py has the outer form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import finalize

from rvplat.bus.images import MemoryImage
from rvplat.bus.page_log import PAGE
from rvplat.errors import RvplatError, SnapshotError
from rvplat.machine.loading.loader import LoadPlan
from rvplat.machine.loading.program import Segment
from rvplat.machine.snapshots.blocks import BLOCK, Reader, Writer
from rvplat.machine.snapshots.encoding import Encoder, Stream, decode
from rvplat.machine.snapshots.facts import (
    BaseFile,
    Facts,
    UsedPlugin,
    own_version,
    with_contents,
)
from rvplat.machine.snapshots.snapshot import Snapshot

_PAGES = BLOCK // PAGE  # in a block
_PARTS = ("harts", "devices", "consoles", "clock", "turns")
_SYMBOLS = ("symbols", "places")


# --- writing ---


def write(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot to a file. The old file of that name stays until the new one is whole.

    Raises:
        SnapshotError: a part can't be written, or the host can't write the file.
    """
    writer = None
    try:
        encoder = Encoder()
        index = _index_of(snapshot, encoder)
        writer = Writer(path)
        index["memory"] = _put_memory(writer, snapshot.memory)
        index["stream"] = writer.put(_cut(encoder.pieces))
        writer.finish(index)
        writer = None
    except OSError as error:
        raise SnapshotError(f"{path}: it could not be written: {error.strerror}") from None
    finally:
        if writer is not None:
            writer.abandon()


def _index_of(snapshot: Snapshot, encoder: Encoder) -> dict[str, Any]:
    facts = replace(snapshot.facts, files=tuple(map(with_contents, snapshot.facts.files)))
    index: dict[str, Any] = {"facts": asdict_of(facts)}
    for part in _PARTS:
        index[part] = encoder.encode(getattr(snapshot, part), part)
    for name, state in snapshot.devices.items():  # again one by one, to name a device in an error
        Encoder().encode(state, f"devices.{name}")
    plan = snapshot.plan
    index["plan"] = encoder.encode(
        {
            "segments": [(one.address, one.size, memoryview(one.data)) for one in plan.segments],
            "entry": plan.entry,
            "registers": [dict(one) for one in plan.registers],
            **{name: dict(getattr(plan, name)) for name in _SYMBOLS},
        },
        "the plan",
    )
    return index


def asdict_of(facts: Facts) -> dict[str, Any]:
    """The facts as JSON has them."""
    return {
        "version": facts.version,
        "board_name": facts.board_name,
        "board": dict(facts.board),
        "plugins": [asdict(one) for one in facts.plugins],
        "files": [asdict(one) for one in facts.files],
    }


def _put_memory(writer: Writer, memory: MemoryImage) -> dict[str, Any]:
    """Write the pages in blocks; then their addresses, a u64 each."""
    addresses = bytearray()

    def chunks() -> Iterator[bytes]:
        chunk: list[Any] = []
        for pa, data in memory.pages():
            addresses.extend(pa.to_bytes(8, "little"))
            chunk.append(data)
            if len(chunk) == _PAGES:
                yield b"".join(chunk)
                chunk = []
        if chunk:
            yield b"".join(chunk)

    pages = writer.put(chunks())
    return {"pages": pages, "addresses": writer.put(_cut([bytes(addresses)]))}


def _cut(pieces: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    """A stream in parts of BLOCK bytes; the last may have fewer."""
    part = bytearray()
    for piece in pieces:
        view = memoryview(piece)
        while view:
            taken = view[: BLOCK - len(part)]
            part += taken
            view = view[len(taken) :]
            if len(part) == BLOCK:
                yield bytes(part)
                part = bytearray()
    if part:
        yield bytes(part)


# --- reading ---


def read(path: Path) -> Snapshot:
    """The snapshot in a file, whose memory is read when RAM gets it: the file stays open until the
    image is dropped. It fits no machine until `check_facts` says so.

    Raises:
        SnapshotError: the file can't be read, or is no whole snapshot of this version's format.
    """
    reader = Reader(path)
    try:
        found = _read(reader)
    except BaseException as error:
        reader.close()
        if isinstance(error, RvplatError | MemoryError) or not isinstance(error, Exception):
            raise
        raise reader.damaged("its index") from None  # whatever a part has instead of what it had
    finalize(found.memory, reader.close)
    return found


def read_facts(path: Path) -> Facts:
    """What a file is of, without its state. Raises as `read`."""
    reader = Reader(path)
    try:
        return _facts(reader)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise reader.damaged("its index") from None
    finally:
        reader.close()


def _read(reader: Reader) -> Snapshot:
    index = reader.index
    facts = _facts(reader)
    stream = Stream(reader.get(index["stream"]))
    parts = {part: decode(index[part], stream) for part in _PARTS}
    plan = decode(index["plan"], stream)
    segments = tuple(Segment(address, data, size) for address, size, data in plan["segments"])
    named = {name: plan[name] for name in _SYMBOLS}
    return Snapshot(
        facts,
        **parts,
        memory=_memory(reader, facts.board["memory"]),
        plan=LoadPlan(segments, plan["entry"], tuple(plan["registers"]), **named),
    )


def _facts(reader: Reader) -> Facts:
    found = reader.index["facts"]
    saved_by = str(found["version"])
    if not isinstance(found["board"], dict):
        raise reader.damaged("its index")
    if _numbers(saved_by) > _numbers(own_version()):
        raise SnapshotError(
            f"{reader.path}: a snapshot of a newer rvplat, {saved_by}; this is {own_version()}"
        )
    plugins = tuple(UsedPlugin(**one) for one in found["plugins"])
    files = tuple(BaseFile(**one) for one in found["files"])
    return Facts(saved_by, str(found["board_name"]), found["board"], plugins, files)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d{1,9}", version)[:3])


def _memory(reader: Reader, memories: Mapping[str, Any]) -> MemoryImage:
    """The image of RAM."""
    where = reader.index["memory"]
    regions = [(int(one["base"]), int(one["size"])) for one in memories.values()]
    addresses = memoryview(b"".join(reader.get(where["addresses"]))).cast("Q")

    def blocks() -> Iterator[tuple[memoryview, Callable[[], bytes]]]:
        at = 0
        for number, size in reader.sizes(where["pages"]):
            end = at + size // PAGE
            yield addresses[at:end], partial(reader.block, number)
            at = end
        if at != len(addresses):
            raise reader.damaged("its memory")

    return MemoryImage.of(regions, blocks())
