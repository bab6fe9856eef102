"""An error of the user's is reported in one line (value, place, what to do), with status 2 and
without a hang."""

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest

from rvplat.cli.main import main
from tests.cli.test_run_command import one_line, rvplat
from tests.machine.programs import elf, linux_image
from tests.machine.small_guests import HELLO, LOOP, guest

GIB = 1 << 30


def cpio(*files: tuple[str, bytes], trailer: bool = True) -> bytes:
    """A cpio archive in the format "newc"."""
    data = b""
    for name, content in [*files, *([("TRAILER!!!", b"")] if trailer else [])]:
        fields = [1, 0o100644, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        data += (header + name.encode() + b"\0").ljust((len(name) + 114) & ~3, b"\0")
        data += content + bytes(-len(content) % 4)
    return data


def efi_image(size: int = 0x3000) -> bytes:
    """A Linux Image with the header of an EFI stub, whose sections end at `size`."""
    image = bytearray(linux_image(size, 0x8000))
    image[:2] = b"MZ"
    struct.pack_into("<I", image, 0x3C, 0x40)
    struct.pack_into("<4sHHIIIHH", image, 0x40, b"PE\0\0", 0x5064, 2, 0, 0, 0, 0, 0)
    struct.pack_into("<8s4I", image, 0x58, b".text", 0x1000, 0x1000, 0x1000, 0x1000)
    struct.pack_into("<8s4I", image, 0x80, b".data", 0x6000, 0x2000, size - 0x2000, 0x2000)
    return bytes(image)


def in_folder(tmp_path: Path, words: Iterable[object]) -> str:
    """Run in a folder with files of every kind; return the message without the folder's path."""
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    for name, data in (
        ("cut.img", efi_image()[:-1]),
        ("cut.cpio", cpio(("init", b"x" * 100), trailer=False)[:-30]),
        ("cut.elf", elf([(0x8000_0000, b"code" * 8, 32)])[:-9]),
        ("far.elf", elf(symbols={"tohost": 0x1000, "fromhost": 0x1008})),
        ("long.elf", guest(LOOP).read_bytes()),
        ("deep.toml", b'extends = "virt"\nx = ' + b"[" * 400 + b"]" * 400),
        ("inline.toml", b'extends = "virt"\nx = ' + b"{a = " * 400 + b"1" + b"}" * 400),
        ("key.toml", b'extends = "virt"\n' + b".".join([b"a"] * 1000) + b" = 1\n"),
        ("table.toml", b'extends = "virt"\n[' + b".".join([b"a"] * 1000) + b"]\n"),
        ("digits.toml", b'extends = "virt"\n[harts]\ncount = ' + b"1" * 5000),
    ):
        (tmp_path / name).write_bytes(data)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(3 * GIB)
    for board in range(40):
        (tmp_path / f"b{board}.toml").write_text(f'extends = "./b{board + 1}.toml"\n')
    message: str = one_line(rvplat(*words, cwd=tmp_path, timeout=60))
    return message.replace(f"{tmp_path}/", "")


DEEP = "found tables or arrays that are nested more than 32 levels deep, expected a board"
BAD = {
    "tohost outside RAM": (
        ("run", "spike", "far.elf"),
        "rvplat: devices.htif: htif is a part of RAM, and 0x1000 to 0x100f (what the program's "
        "symbols say) is not in RAM (0x80000000 to 0xffffffff): link the program for this board's "
        "memory",
    ),
    "htif outside RAM": (
        ("run", "spike", "demo", "--set", "devices.htif.base=0x1000"),
        "rvplat: devices.htif: htif is a part of RAM, and 0x1000 to 0x1fff (devices.htif.base) is "
        "not in RAM (0x80000000 to 0xffffffff): change it",
    ),
    "an initrd larger than RAM": (
        ("run", "virt", "demo", "--initrd", "sparse", "--memory", "1G"),
        f"rvplat: sparse: the initrd: found {3 * GIB} bytes, expected at most {GIB} bytes, the RAM "
        "of the board; --memory gives more",
    ),
    "a disk that is a pipe": (
        ("run", "--disk", "fifo"),
        "rvplat: disk image fifo: it is a pipe; expected a raw image, a file",
    ),
    "a disk that is read-only and a pipe": (
        ("run", "--disk", "fifo", "--set", "devices.virtio0.readonly=true"),
        "rvplat: disk image fifo: it is a pipe; expected a raw image, a file",
    ),
    "a disk that is a device": (
        ("run", "--disk", "/dev/null"),
        "rvplat: disk image /dev/null: it is a character device; expected a raw image, a file",
    ),
    "more disks than slots": (
        ("run", *["--disk", "sparse"] * 9),
        "rvplat: --disk sparse: found 9 disks, expected at most 8: the board has virtio0 to "
        "virtio7",
    ),
    "a disk without a slot": (
        ("run", "minimal", "demo", "--disk", "sparse"),
        "rvplat: --disk sparse: found 1 disk, expected none: the board has no virtio slot "
        "(devices.virtio0)",
    ),
    "deep arrays": (("run", "deep.toml"), f"rvplat: deep.toml:1: {DEEP}"),
    "deep tables": (("run", "inline.toml"), f"rvplat: inline.toml:1: {DEEP}"),
    "a long key": (("run", "key.toml"), f"rvplat: key.toml:1: {DEEP}"),
    "a long table": (("run", "table.toml"), f"rvplat: table.toml:1: {DEEP}"),
    "many digits": (
        ("run", "digits.toml"),
        "rvplat: digits.toml:1: found a value that can't be read (Exceeds the limit (4300 digits) "
        "for integer string conversion: value has 5000 digits; use sys.set_int_max_str_digits() "
        "to increase the limit), expected TOML",
    ),
    "boards without an end": (
        ("run", "b0.toml"),
        "rvplat: b32.toml:1: extends: found more than 32 boards that build on each other, expected "
        "fewer",
    ),
    "a long key of an option": (
        ("run", "--set", ".".join(["a"] * 1000) + "=1"),
        "rvplat: --set a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a...: found a key "
        "of 1000 parts, expected KEY=VALUE such as harts.count=2",
    ),
    "a deep value of an option": (
        ("run", "--set", "a=" + "[" * 90 + "]" * 90),
        "rvplat: --set a=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...: found tables or "
        "arrays that are nested more than 32 levels deep, expected a key of the board and its "
        "value",
    ),
    "an overlay that is the image": (
        ("run", "--disk", "sparse", "--set", "devices.virtio0.overlay=sparse"),
        "rvplat: disk image sparse: the overlay is the image itself; name another file",
    ),
    "a board that is a folder": (
        ("run", "./", "demo"),
        "rvplat: ./: found a folder, expected the path of a board",
    ),
    "a board that is a pipe": (
        ("dtb", "./fifo"),
        "rvplat: ./fifo: found a pipe, expected the path of a board",
    ),
    "a port that is no number": (
        ("run", "--gdb", "²"),
        "rvplat: --gdb ²: expected [HOST:]PORT with a port below 65536, or unix:PATH",
    ),
    "a host that has no name": (
        ("run", "--gdb", "localhost..:1"),
        "rvplat: --gdb localhost..:1: there is no host localhost..",
    ),
    "a VMID that no guest has": (
        ("explain", "demo", "0x80000000", "--world", "vmid:16384"),
        "rvplat explain: argument --world: invalid world value: 'vmid:16384'; see `rvplat "
        "explain --help`",
    ),
    "a trace that nobody reads": (
        ("run", "demo", "--trace", "fifo"),
        "rvplat: fifo: the pipe has no reader",
    ),
    "a trace on a full disk": (
        ("run", "spike", "long.elf", "--trace", "/dev/full"),
        "rvplat: /dev/full: No space left on device",
    ),
    "a program without an end": (
        ("run", "virt", "/dev/zero"),
        "rvplat: /dev/zero: the program: it is a character device; expected a regular file",
    ),
    "a program that is a folder": (
        ("run", "virt", "."),
        "rvplat: .: the program: it is a folder; expected a regular file",
    ),
    "a program that is a socket": (
        ("run", "virt", "socket"),
        "rvplat: socket: the program: it is a socket; expected a regular file",
    ),
    "a kernel that nobody writes": (
        ("run", "virt", "demo", "--kernel", "fifo"),
        "rvplat: fifo: the kernel: the pipe has no writer",
    ),
    "a device tree that is too large": (
        ("run", "--dtb", "sparse"),
        f"rvplat: sparse: the device tree: found {3 * GIB} bytes, expected at most {16 << 20} "
        "bytes",
    ),
    "an Image that is cut off": (
        ("run", "virt", "demo", "--kernel", "cut.img"),
        "rvplat: cut.img: a truncated Linux Image: its sections end at byte 12288, the file has "
        "12287; copy or build it again",
    ),
    "an ELF file that is cut off": (
        ("run", "cut.elf"),
        "rvplat: cut.elf: a truncated ELF file: the segment for 0x80000000 ends at byte 152, the "
        "file has 143",
    ),
    "an initrd that is cut off": (
        ("run", "virt", "demo", "--initrd", "cut.cpio"),
        "rvplat: cut.cpio: a truncated cpio archive: its file 'init' ends at byte 216, the archive "
        "has 186; copy or build it again",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_one_line_says_what_is_wrong(tmp_path: Path, name: str) -> None:
    words, message = BAD[name]
    assert in_folder(tmp_path, words) == message


def test_a_pipe_with_a_writer_is_a_file(tmp_path: Path) -> None:
    """As with a shell's `<(command)`."""
    reading, writing = os.pipe()
    os.write(writing, guest(HELLO).read_bytes())
    os.close(writing)
    done = rvplat("run", "virt", f"/dev/fd/{reading}", pass_fds=[reading])
    os.close(reading)
    assert (done.returncode, done.stdout) == (0, b"hello\r\n"), done.stderr


@pytest.mark.parametrize("name", ["whole.img", "whole.cpio"])
def test_whole_files_are_not_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "whole.img").write_bytes(efi_image())
    (tmp_path / "whole.cpio").write_bytes(cpio(("init", b"x" * 101)) + b"\0" * 1000)
    option = "--kernel" if name == "whole.img" else "--initrd"
    done = rvplat("run", "virt", "demo", option, tmp_path / name)
    assert (done.returncode, done.stderr) == (0, b"")


def test_files_that_are_probably_cut_off_get_a_warning(tmp_path: Path) -> None:
    """The run goes on, because the loaded part may be whole."""
    image, program = tmp_path / "half.img", tmp_path / "cut.elf"
    image.write_bytes(linux_image(0x1000, 0x8000))
    done = rvplat("run", "virt", "demo", "--kernel", image)
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"rvplat: {image}: the Linux Image has 4096 bytes of the 32768 that its header asks for; "
        "the rest is taken for .bss, but the file may be cut off\n"
    )
    whole = guest(HELLO).read_bytes()
    program.write_bytes(whole[:-8])
    done = rvplat("run", program)
    assert (done.returncode, done.stdout) == (0, b"hello\r\n")
    assert f"{program}: a truncated ELF file: its section header table ends".encode() in done.stderr


DEVICE = """
from rvplat.bus import Device
from rvplat.hookspecs import hookimpl

class Bad(Device):
    model = "bad"
    compatible = ("example,bad",)
    size = 0x100
    {method}

@hookimpl
def rvplat_devices():
    return [Bad]
"""
NAMED = "rvplat: devices.bad: its device tree: "


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("set('rate', 1.5)", "property 'rate': found 1.5, a float; expected 32-bit cells, strings "
         "or bytes"),
        ("set('rate', 1 << 32)", "property 'rate': found 0x100000000, expected cells of 32 bits; a "
         "larger number is two, the high one first"),
        ("set('rate', -1)", "property 'rate': found -0x1, expected cells of 32 bits; a larger "
         "number is two, the high one first"),
        ("set('rate', None)", "property 'rate': found None, a NoneType; expected 32-bit cells, "
         "strings or bytes"),
        ("set('rate', 'a\\0b')", "property 'rate': found 'a\\x00b', expected a string without a "
         "null byte"),
        ("set(7)", "7 is no name of a property"),
        ("child('')", "'' is no name of a node"),
        ("root_child(b'a')", "b'a' is no name of a node"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["run", "dtb"])
def test_a_device_that_gives_no_device_tree(
    tmp_path: Path, command: str, call: str, message: str
) -> None:
    plugin = tmp_path / "bad.py"
    plugin.write_text(DEVICE.format(method=f"def fdt(self, node): node.{call}"))
    setting = 'devices.bad={model="bad",base=0x20000000}'
    said = one_line(rvplat(command, "virt", "--plugin", plugin, "--set", setting))
    assert said == NAMED + message


def test_a_device_that_cannot_be_closed(tmp_path: Path) -> None:
    """The run has ended, and the other devices are closed. The exit status is that of an error."""
    plugin = tmp_path / "bad.py"
    plugin.write_text(DEVICE.format(method="def close(self): 1 / 0"))
    setting = 'devices.{}={{model="bad",base={:#x}}}'
    options = ["--set", setting.format("a", 0x2000_0000), "--set", setting.format("b", 0x2100_0000)]
    done = rvplat("run", guest(HELLO), "--plugin", plugin, *options)
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (2, b"hello\r\n")
    raised = "bad raised while closing devices.{}: ZeroDivisionError('division by zero')"
    said = f"rvplat: plugin {plugin}: {raised}"
    assert lines[0] == said.format("b")
    assert said.format("a") in lines
    assert lines[-1] == "rvplat: ZeroDivisionError: division by zero"


STREAMS = {
    "boards <&- >&-": (0, ""),
    "schema <&- >&-": (0, ""),
    "dtb virt <&- >&-": (0, ""),
    "run nosuch >&- 2>&-": (2, ""),
    "run nosuch 2>/dev/full": (2, ""),
    "boards >/dev/full": (2, "rvplat: standard output: No space left on device\n"),
    "schema >/dev/full": (2, "rvplat: standard output: No space left on device\n"),
    "dtb virt --set chosen.bootargs=\udcff >/dev/null": (0, ""),
    "dtb virt --set chosen.bootargs=é >/dev/null": (0, ""),
    "explain demo nosuch@é": (
        2,
        "rvplat: explain nosuch@\\xe9: found no symbol 'nosuch@\\xe9' in the program, and no board "
        "or file of this name\n",
    ),
}


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("can't start new thread"), "this host can't start another thread"),
        (MemoryError(), "this host has no more memory"),
    ],
)
def test_what_the_host_lacks_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception,
    message: str,
) -> None:  # fmt: skip
    def refuse(thread: threading.Thread) -> None:
        raise error

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert main(["run", str(guest(HELLO))]) == 2
    assert capsys.readouterr().err == f"rvplat: {message}\n"


@pytest.mark.parametrize("line", STREAMS)
@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii"])
def test_streams_that_are_closed_full_or_narrow(line: str, encoding: str) -> None:
    status, said = STREAMS[line]
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m rvplat {line}"], capture_output=True, timeout=120,
        env={**os.environ, "PYTHONIOENCODING": encoding}, check=False,
    )  # fmt: skip
    if encoding != "ascii":
        said = said.replace("\\xe9", "é")
    assert (done.returncode, done.stdout, done.stderr.decode()) == (status, b"", said)


def test_a_board_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    board = tmp_path / "bom.toml"
    board.write_text('extends = "virt"\n[harts]\ncout = 2\n', encoding="utf-8-sig")
    said = one_line(rvplat("run", board))
    assert said.startswith(f"rvplat: {board}:3: harts.cout: found an unknown key")
