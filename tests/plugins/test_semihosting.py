"""Semihosting: each operation, called by a hart that steps over the sequence."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rvplat_plugins.host_folder import HostFolder

from rvplat import Machine
from rvplat.errors import BoardError
from rvplat.machine.running.host_calls import SEQUENCE
from tests.machine.small_guests import WAIT, guest

CODE, BLOCK, TEXT, BUFFER = 0x8010_0000, 0x8010_1000, 0x8010_2000, 0x8010_4000
OPEN, CLOSE, WRITEC, WRITE0, WRITE, READ, READC, ISERROR, ISTTY, SEEK = range(1, 11)
FLEN, TMPNAM, REMOVE, RENAME = range(0xC, 0x10)
CLOCK, TIME, SYSTEM, ERRNO = range(0x10, 0x14)
CMDLINE, HEAPINFO, EXIT, EXTENDED, ELAPSED, TICKFREQ = 0x15, 0x16, 0x18, 0x20, 0x30, 0x31
MODES = ("r", "rb", "r+", "r+b", "w", "wb", "w+", "w+b", "a", "ab", "a+", "a+b")


class Program:
    """What a program on hart 0 does."""

    def __init__(self, machine: Machine, xlen: int = 64) -> None:
        self.machine = machine
        self.hart = machine.harts[0]
        self.width, self.mask = xlen // 8, (1 << xlen) - 1
        machine.memory.write(CODE, SEQUENCE)

    def go(self, operation: int, parameter: int) -> int:
        """Execute the sequence; a0, signed."""
        hart = self.hart
        hart.pc, hart.x["a0"], hart.x["a1"] = CODE, operation, parameter
        self.machine.step(3)
        found = int(hart.x["a0"])
        return found - self.mask - 1 if found >> 8 * self.width - 1 else found

    def call(self, operation: int, *fields: int) -> int:
        """A call with an argument block."""
        block = b"".join(one.to_bytes(self.width, "little") for one in fields)
        self.machine.memory.write(BLOCK, block)
        return self.go(operation, BLOCK)

    def field(self, number: int, at: int = BLOCK) -> int:
        found = self.machine.memory.read(at + number * self.width, self.width)
        return int.from_bytes(found, "little")

    def text(self, text: str, at: int = TEXT) -> tuple[int, int]:
        data = text.encode("utf-8", "surrogateescape")
        self.machine.memory.write(at, data + b"\0")
        return at, len(data)

    def open(self, name: str, mode: str = "r") -> int:
        address, length = self.text(name)
        return self.call(OPEN, address, MODES.index(mode), length)

    def read(self, handle: int, size: int) -> bytes:
        left = self.call(READ, handle, BUFFER, size)
        assert 0 <= left <= size
        return self.machine.memory.read(BUFFER, size - left)

    def write(self, handle: int, data: bytes) -> int:
        self.machine.memory.write(BUFFER, data)
        return self.call(WRITE, handle, BUFFER, len(data))

    def errno(self) -> int:
        return self.go(ERRNO, 0)

    def refused(self, result: int) -> str:
        """The name of the errno of a call that has failed."""
        assert result == -1
        return errno.errorcode[self.errno()]


Make = Callable[..., Program]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """A program on a board with the device; its folder is `files`."""
    machines: list[Machine] = []
    (tmp_path / "files").mkdir()

    def build(xlen: int = 64, **settings: object) -> Program:
        keys = {f"devices.semihosting.{key}": value for key, value in settings.items()}
        isa = {"harts.isa": "rv32imac_zicsr_zifencei_zicntr"} if xlen == 32 else {}
        machine = Machine.open(
            "virt", program=guest(WAIT, xlen), memory="64M",
            settings={"devices.semihosting.model": "semihosting", **keys, **isa},
        )  # fmt: skip
        machines.append(machine)
        return Program(machine, xlen)

    yield build
    for one in machines:
        one.close()


@pytest.mark.parametrize("xlen", [64, 32])
def test_files_are_read_and_written(make: Make, tmp_path: Path, xlen: int) -> None:
    files = tmp_path / "files"
    (files / "in").write_bytes(b"one two three")
    program = make(xlen, folder=str(files), write=True)
    handle = program.open("in", "rb")
    assert handle > 0
    assert [program.read(handle, 4), program.read(handle, 100), program.read(handle, 9)] == [
        b"one ", b"two three", b"",
    ]  # fmt: skip
    assert program.call(SEEK, handle, 8) == 0
    assert program.read(handle, 5) == b"three"
    assert (program.call(FLEN, handle), program.call(ISTTY, handle)) == (13, 0)
    assert program.call(CLOSE, handle) == 0
    assert program.refused(program.call(CLOSE, handle)) == "EBADF"

    (files / "folder").mkdir()
    handle = program.open("folder/out", "w+")
    assert program.write(handle, b"written") == 0
    assert program.call(SEEK, handle, 0) == 0
    assert program.read(handle, 7) == b"written"
    appended = program.open("./folder//out", "a")
    assert (program.write(appended, b", more"), program.write(appended, b"!")) == (0, 0)
    assert (files / "folder/out").read_bytes() == b"written, more!"
    assert program.call(RENAME, *program.text("folder/out"), *program.text("new", BUFFER)) == 0
    assert (files / "new").exists()
    assert program.call(REMOVE, *program.text("new")) == 0
    assert program.refused(program.call(REMOVE, *program.text("new"))) == "ENOENT"
    assert program.refused(program.write(program.open("in"), b"x") and -1) == "EBADF"


def test_nothing_above_the_folder_is_reached(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = tmp_path / "files"
    (tmp_path / "secret").write_text("secret")
    (files / "inner").mkdir()
    (files / "link").symlink_to(tmp_path / "secret")
    (files / "up").symlink_to("..")
    (files / "here").symlink_to("inner")
    (files / "absolute").symlink_to(tmp_path)
    os.mkfifo(files / "pipe")
    program = make(folder=str(files), write=True)
    removals = {"inner": "EISDIR", "link": "", "pipe": ""}  # the link goes, not what it names
    for name, why in {
        "../secret": "EACCES", "inner/../../secret": "EACCES", str(tmp_path / "secret"): "EACCES",
        "/etc/passwd": "EACCES", "link": "EACCES", "up/secret": "ENOTDIR", "pipe": "EACCES",
        "absolute/secret": "ENOTDIR", "here/x": "ENOTDIR", "": "EACCES", ".": "EACCES",
        "..": "EACCES", "inner": "EACCES", "secret\0/../x": "EACCES", "no": "ENOENT",
        "x" * 5000: "ENAMETOOLONG", "\udcff": "ENOENT",
    }.items():  # fmt: skip
        assert program.refused(program.open(name)) == why, name
        if name == "link":
            assert program.refused(program.open(name, "w")) == why
        removed = program.call(REMOVE, *program.text(name))
        assert (program.refused(removed) if removed else "") == removals.get(name, why), name
    assert [one for one in ("link", "pipe") if os.path.lexists(files / one)] == []
    old, new = program.text("inner"), program.text("../moved", BUFFER)
    assert program.refused(program.call(RENAME, *old, *new)) == "EACCES"
    assert (tmp_path / "secret").read_text() == "secret"
    assert caplog.messages[0] == (
        "semihosting: the guest asks for '../secret': refused, it is not below the folder"
    )
    assert len(caplog.messages) <= 10


def test_a_folder_is_read_only_unless_said_and_none_by_default(make: Make, tmp_path: Path) -> None:
    (tmp_path / "files/in").write_text("in")
    program = make(folder=str(tmp_path / "files"))
    for mode in ("r+", "w", "w+", "a", "a+b"):
        assert program.refused(program.open("in", mode)) == "EROFS"
    assert program.refused(program.call(REMOVE, *program.text("in"))) == "EROFS"
    assert program.read(program.open("in"), 2) == b"in"
    program = make()
    assert program.refused(program.open("in")) == "EACCES"
    with pytest.raises(BoardError, match='found no folder ".*/none", expected an existing folder'):
        make(folder=str(tmp_path / "none"))


def test_the_console(make: Make) -> None:
    program = make()
    console = program.machine.consoles["semihosting"]
    out, errors, source = (program.open(":tt", mode) for mode in ("w", "a", "r"))
    assert program.go(WRITE0, program.text("0 ")[0]) == 0
    program.go(WRITEC, program.text("c ")[0])
    assert (program.write(out, b"out "), program.write(errors, b"err")) == (0, 0)
    assert console.output == b"0 cout err"
    assert (program.call(ISTTY, out), program.refused(program.call(FLEN, out))) == (1, "ESPIPE")
    console.feed(b"typed")
    assert chr(program.go(READC, 0)) == "t"
    assert program.read(source, 100) == b"yped"
    program.hart.pc, program.hart.x["a0"], program.hart.x["a1"] = CODE, READC, 0
    program.machine.step(10)
    assert program.hart.pc == CODE + 4, "it waits for input"
    console.feed(b"!")
    program.machine.step(2)
    assert (program.hart.pc, program.hart.x["a0"]) == (CODE + 12, ord("!"))
    console.feed(b"")
    assert (program.read(source, 10), program.go(READC, 0)) == (b"", -1)


@pytest.mark.parametrize("xlen", [64, 32])
def test_time_and_the_rest(make: Make, xlen: int) -> None:
    program = make(xlen, cmdline="prog a b")
    assert program.go(TICKFREQ, 0) == 10_000_000
    assert program.go(CLOCK, 0) >= 0
    assert program.go(TIME, 0) > 1_700_000_000
    assert program.go(ELAPSED, BLOCK) == 0
    assert int.from_bytes(program.machine.memory.read(BLOCK, 8), "little") > 0
    assert program.call(ISERROR, 0) == 0
    assert program.call(ISERROR, program.mask) != 0
    assert program.refused(program.call(SYSTEM, *program.text("true"))) == "EPERM"
    assert program.call(CMDLINE, BUFFER, 80) == 0
    assert (program.field(0), program.field(1)) == (BUFFER, 8)
    assert program.machine.memory.read(BUFFER, 9) == b"prog a b\0"
    assert program.refused(program.call(CMDLINE, BUFFER, 8)) == "E2BIG"
    program.machine.memory.write(BUFFER, b"\xff" * 32)
    assert program.call(HEAPINFO, BUFFER) == 0
    assert program.machine.memory.read(BUFFER, 4 * program.width) == bytes(4 * program.width)
    assert program.call(TMPNAM, BUFFER, 7, 32) == 0
    assert program.machine.memory.read(BUFFER, 15) == b"rvplat-007.tmp\0"
    features = program.open(":semihosting-features")
    assert (program.read(features, 9), program.call(FLEN, features)) == (b"SHFB\x03", 5)
    assert program.refused(program.call(0x99)) == "ENOSYS"
    assert program.refused(program.go(OPEN, 0x4000_0000)) == "EFAULT"
    assert program.refused(program.call(OPEN, TEXT, 12, 1)) == "EINVAL"
    handles = [program.open(":tt", "w") for _ in range(64)]
    assert program.refused(handles[-1]) == "EMFILE"


@pytest.mark.parametrize(("xlen", "operation", "fields", "reason", "status"), [
    (64, EXIT, (0x20026, 7), "off", 7), (64, EXTENDED, (0x20026, 256), "off", 1),
    (64, EXIT, (0x20023, 7), "fail", 1), (32, EXTENDED, (0x20026, 7), "off", 7),
])  # fmt: skip
def test_exit(
    make: Make, xlen: int, operation: int, fields: tuple[int, ...], reason: str, status: int
) -> None:
    program = make(xlen)
    program.call(operation, *fields)
    stop = program.machine.requests[0]
    assert (stop.reason, stop.status) == (reason, status)


def test_exit_of_rv32_has_a_reason_only(make: Make) -> None:
    program = make(32)
    program.go(EXIT, 0x20026)
    assert program.machine.requests[0].status == 0


def test_which_modes_may_call(make: Make) -> None:
    """In the others the ebreak traps as without semihosting. So does an ebreak that stands alone,
    and one in a sequence of which a part is missing."""
    handler = CODE + 0x100
    for program, allowed in ((make(), ("M", "S")), (make(modes=["U", "VS"]), ("U", "VS"))):
        hart, machine = program.hart, program.machine
        hart.set_csr("pmpaddr0", (1 << 54) - 1)
        hart.set_csr("pmpcfg0", 0x1F)
        hart.set_csr("mtvec", handler)
        for mode, (priv, virt) in {
            "M": (3, 0), "S": (1, 0), "U": (0, 0), "VS": (1, 1), "VU": (0, 1)
        }.items():  # fmt: skip
            machine.export("set_mode")(hart.address, priv, virt)
            hart.pc, hart.x["a0"], hart.x["a1"] = CODE, TICKFREQ, 0
            machine.step(2)
            expected = CODE + 8 if mode in allowed else handler
            assert (mode, hart.pc) == (mode, expected)
    program = make()
    program.hart.set_csr("mtvec", handler)
    for at in (0, 8):
        program.machine.memory.write(CODE, SEQUENCE)
        program.machine.memory.write(CODE + at, bytes.fromhex("13000000"))
        program.hart.pc = CODE + 4
        program.machine.step(1)
        assert (program.hart.pc, program.hart.csr("mcause")) == (handler, 3)
    program.machine.memory.write(CODE, SEQUENCE[:4] + bytes.fromhex("02900100") + SEQUENCE[8:])
    program.hart.pc = CODE + 4
    program.machine.step(1)
    assert program.hart.pc == handler, "c.ebreak is none"


def test_a_board_without_it_traps() -> None:
    with Machine.open("virt", program=guest(WAIT), memory="64M") as machine:
        program = Program(machine)
        program.hart.set_csr("mtvec", CODE + 0x100)
        program.hart.pc = CODE
        machine.step(2)
        assert program.hart.pc == CODE + 0x100
        assert "semihosting" not in machine.consoles


def test_a_board_has_one_device_that_takes_calls() -> None:
    settings = {"devices.one.model": "semihosting", "devices.two.model": "semihosting"}
    with pytest.raises(BoardError) as error:
        Machine.open("virt", program=guest(WAIT), settings=settings)
    assert str(error.value) == (
        "settings['devices.two.model']: devices.two.model: found a second device that takes the "
        "calls of harts, beside devices.one, expected one such device (one is at "
        "settings['devices.one.model'])"
    )


def test_a_loaded_snapshot_has_its_own_files(make: Make, tmp_path: Path) -> None:
    """A handle is another file's after a load. No file of before stays open."""
    for name in ("a", "b"):
        (tmp_path / "files" / name).write_text(name * 3)
    program = make(folder=str(tmp_path / "files"))

    def opened() -> int:
        links = (str(one.readlink()) for one in _descriptors())
        return sum(link.startswith(str(tmp_path / "files")) for link in links)

    handle = program.open("a")
    assert program.read(handle, 1) == b"a"
    saved = program.machine.save()
    assert program.call(CLOSE, handle) == 0
    assert program.open("b") == handle
    assert program.read(handle, 1) == b"b"
    program.machine.load(saved)
    assert opened() == 0
    assert program.read(handle, 9) == b"aa"
    assert opened() == 1


def test_a_handle_has_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    folder = HostFolder(tmp_path, False, "device")
    before = len(_descriptors())
    for _ in range(2):
        folder.open(1, "a", "r")
    assert len(_descriptors()) == before + 1
    folder.forget()


def _descriptors() -> list[Path]:
    """The open file descriptors of this process."""
    return [one for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]


def test_it_has_no_address() -> None:
    settings = {"devices.semihosting.model": "semihosting", "devices.semihosting.base": 0x1000_5000}
    with pytest.raises(BoardError, match="found a base, expected none: semihosting has no window"):
        Machine.open("virt", program=guest(WAIT), settings=settings)
