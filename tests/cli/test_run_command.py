"""`rvplat run` as a process: exit statuses, outputs, errors in one line."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.machine.programs import elf
from tests.machine.small_guests import (
    ECHO,
    FAIL,
    HELLO,
    LOOP,
    POWER_OFF,
    TOHOST,
    TRAP_LOOP,
    WAIT,
    guest,
)  # fmt: skip

COMMAND = [sys.executable, "-m", "rvplat"]


def rvplat(
    *words: object, stdin: bytes = b"", env: Any = None, timeout: int = 120, **options: Any
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], input=stdin, capture_output=True, timeout=timeout,
        env={**os.environ, **(env or {})}, check=False, **options,
    )  # fmt: skip


def one_line(done: subprocess.CompletedProcess[bytes]) -> Any:
    """The line of an error that rvplat reports. There must be exactly one."""
    text = done.stderr.decode()
    assert (done.returncode, done.stdout) == (2, b""), text
    assert "Traceback" not in text
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


def test_a_word_that_is_a_file_is_the_program() -> None:
    done = rvplat("run", guest(HELLO))
    assert (done.returncode, done.stdout) == (0, b"hello\r\n")


def test_the_demo_runs_without_a_word() -> None:
    done = rvplat("run")
    assert done.returncode == 0, done.stderr
    assert b"Powering off." in done.stdout


def test_words_may_come_between_options() -> None:
    done = rvplat("run", "virt", "--harts", "1", guest(HELLO), "--memory", "64M")
    assert (done.returncode, done.stdout) == (0, b"hello\r\n"), done.stderr


def test_a_tick_need_not_be_whole_nanoseconds() -> None:
    done = rvplat("run", "demo", "--set", "timebase_hz=24000000")
    assert done.returncode == 0, done.stderr
    assert b"clock       24000 kHz" in done.stdout


@pytest.mark.parametrize("code", [1, 42])
def test_the_status_is_the_guests(code: int) -> None:
    assert rvplat("run", "spike", guest(TOHOST.format(value=code << 1 | 1))).returncode == code
    assert rvplat("run", guest(FAIL)).returncode == 7


def test_the_timeout_is_124_and_shows_where_the_hart_is() -> None:
    done = rvplat("run", guest(TRAP_LOOP), "--timeout", "0.5")
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 124
    loops = "at 0x40000000 its handler at 0x0 (mtvec) raises fetch access itself"
    assert lines[0].startswith("rvplat: hart 0 loops in traps: after ")
    assert lines[1:4] == [
        "  mtvec is 0: the software has set no trap handler",
        "rvplat: the time is up",
        "hart 0: M mode, pc 0x0: no memory is there",
    ]
    assert loops in lines[0]
    assert lines[4].startswith("  it loops in traps: after ")
    assert loops in lines[4]


def test_a_machine_that_nothing_wakes_ends() -> None:
    done = rvplat("run", guest(WAIT))
    assert done.returncode == 124
    said = "rvplat: every hart waits for an interrupt, and nothing can raise one"
    assert done.stderr.decode().splitlines()[0] == said


def test_input_comes_from_a_pipe() -> None:
    done = rvplat("run", guest(ECHO), "--timeout", "60", stdin=b"abc\x01xyq")
    assert (done.returncode, done.stdout) == (0, b">abc\x01xy")


def test_statistics_as_json_are_the_last_line() -> None:
    done = rvplat("run", guest(LOOP), "--max-instructions", "123456", "--stats=json")
    found = json.loads(done.stderr.decode().splitlines()[-1])
    assert (done.returncode, found["instructions"], found["stop"]) == (124, 123456, "limit")
    assert found["harts"][0].keys() >= {"native_s", "devices_s", "asleep_s", "traps"}


def test_statistics_with_gdb_allowed(tmp_path: Path) -> None:
    options = ["--gdb", f"unix:{tmp_path}/gdb", "--timeout", "0.2", "--stats=json"]
    found = json.loads(rvplat("run", guest(LOOP), *options).stderr.decode().splitlines()[-1])
    assert list(tmp_path.iterdir()) == [], "no socket is left"
    assert 0 not in (found["seconds"], found["starting_s"], found["million_per_second"])


def test_a_board_that_cannot_be_built_leaves_no_socket(tmp_path: Path) -> None:
    done = rvplat("run", tmp_path / "nosuch.elf", "--gdb", f"unix:{tmp_path}/gdb")
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])


def test_statistics_as_a_table() -> None:
    done = rvplat("run", guest(HELLO), "--stats")
    assert b" instructions in " in done.stderr
    assert done.stdout == b"hello\r\n"


def test_trace_and_signature(tmp_path: Path) -> None:
    trace, words = tmp_path / "trace", tmp_path / "signature"
    program = guest(TOHOST.format(value=1))
    done = rvplat("run", "spike", program, "--trace", trace, "--signature", words)
    assert done.returncode == 0, done.stderr
    assert words.read_text() == "55667788\n11223344\n0000cafe\n"
    assert trace.read_text().startswith("core   0: 3 0x0000000080000000 (0x")


READ_LOADED = (
    """
  li a0, 0x80400000
  li t0, UART
1: lbu t1, 0(a0)
  beqz t1, 2f
  sb t1, 0(t0)
  addi a0, a0, 1
  j 1b
2:"""
    + POWER_OFF
)


def test_files_are_loaded_to_their_addresses(tmp_path: Path) -> None:
    text, more, second = tmp_path / "te=xt", tmp_path / "more", tmp_path / "second.elf"
    text.write_bytes(b"raw ")
    second.write_bytes(elf([(0x8040_0004, b"ELF\0", 4)], 0x8040_0004))
    program = guest(READ_LOADED)
    done = rvplat("run", program, "--load", f"0x8040_0000={text}", "--load", second)
    assert (done.returncode, done.stdout) == (0, b"raw ELF"), done.stderr
    for words, message in (
        ((str(second), f"0x8040_0001={text}"), f"{text}: 0x80400001 to 0x80400004 overlaps "),
        ((f"0x1_0000_0000={text}",), f"{text}: 0x4 bytes for 0x100000000 are outside the board's"),
        ((str(text),), f"{text}: the file to load: found no ELF file that says where it goes"),
        (("0x84000000=",), "run: argument --load: '0x84000000=': expected [ADDR=]FILE, found no "),
        ((f"0={more}",), f"{more}: the file to load: No such file or directory"),
        ((f"0x200000000000000={text}",), "run: argument --load: 0x200000000000000: expected an "),
    ):
        options = [word for one in words for word in ("--load", one)]
        assert message in one_line(rvplat("run", program, *options))


def test_harts_memory_and_settings() -> None:
    done = rvplat(
        "run", guest(LOOP), "--harts", "2", "--memory", "64M", "--set", "clock=virtual",
        "--max-instructions", "1000", "--stats=json",
    )  # fmt: skip
    assert len(json.loads(done.stderr.decode().splitlines()[-1])["harts"]) == 2


BAD = {
    "a board": (("nosuch",), 'found no board "nosuch", expected one of minimal, spike, virt'),
    "a near board": (("virtt",), 'did you mean "virt"?'),
    "a program": (("no/such.elf",), "no/such.elf: the program: No such file or directory"),
    "a kernel": (("--kernel", "no.img"), "no.img: the kernel: No such file or directory"),
    "a plugin": (("--plugin", "no.py"), "no such plugin, expected a .py file"),
    "a setting": (("--set", "harts.cout=2"), "harts.cout: found an unknown key"),
    "no value": (("--set", "harts"), '--set harts: found no "=" or no key'),
    "harts": (("--harts", "9"), "--harts 9: harts.count: found 9, expected"),
    "harts as text": (("--harts", "x"), "argument --harts: invalid int value: 'x'"),
    "memory": (("--memory", "lots"), '--memory lots: memory.ram.size: found "lots", expected'),
    "timeout": (("--timeout", "-1"), "argument --timeout"),
    "instructions": (("--max-instructions", "0"), "argument --max-instructions"),
    "an option": (("--nosuch",), "unrecognized arguments: --nosuch"),
    "an option after a word": (("virt", "--harts", "2", "x", "-y"), "unrecognized arguments: x -y"),
    "words": (("virt", "a", "b"), "rvplat: found b, expected only a BOARD and a PROGRAM"),
    "a disk": (("--disk", "no.img"), "no.img"),
    "a trace": (("--trace", "no/such/trace"), "no/such/trace: No such file or directory"),
    "a signature": (("--signature", "s"), "no symbol begin_signature and no end_signature"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_error_of_the_user_s_is_one_line(name: str) -> None:
    words, message = BAD[name]
    assert message in one_line(rvplat("run", *words))


def test_files_that_are_no_programs(tmp_path: Path) -> None:
    cases = {
        "x86.elf": b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0" + bytes(44),
        "short.elf": b"\x7fELF\x02\x01\x01",
        "empty.bin": b"",
    }
    for name, data in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert one_line(rvplat("run", path)).startswith(f"rvplat: {path}: ")


def test_a_plugin_that_raises_is_named_with_its_traceback(tmp_path: Path) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text("1 / 0\n")
    done = rvplat("run", "--plugin", plugin)
    text = done.stderr.decode()
    assert done.returncode == 2
    assert text.startswith("rvplat: plugin broken: raised while it was loaded: ZeroDivisionError")
    assert f'File "{plugin}", line 1' in text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "run", guest(HELLO)], stdin=subprocess.DEVNULL, stdout=full,
            stderr=subprocess.PIPE, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == b"rvplat: standard output: No space left on device\n"


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_only_a_warning(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = rvplat("run", guest(HELLO), env={"RVPLAT_CACHE": str(blocked / "cache")})
    assert (done.returncode, done.stdout) == (0, b"hello\r\n")
    assert b"cannot keep the compiled code" in done.stderr


def started(*words: object, **options: Any) -> Any:
    return subprocess.Popen(
        [*COMMAND, *map(str, words)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, **options,
    )  # fmt: skip


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run(number: signal.Signals, status: int) -> None:
    with started("run", guest(ECHO)) as process:
        assert process.stdout.read(1) == b">"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert b"rvplat: it was interrupted" in errors
    assert b"Traceback" not in errors


def test_a_reader_that_closes_the_pipe_ends_the_run() -> None:
    with started("run", guest(ECHO)) as process:
        assert process.stdout.read(1) == b">"
        process.stdout.close()
        process.stdin.write(b"a" * 100)
        process.stdin.flush()
        assert process.wait(timeout=60) == 141
        assert b"Traceback" not in process.stderr.read()


def test_a_full_pipe_does_not_delay_the_end() -> None:
    flood = guest("  li t0, UART\n  li t1, 'x'\n1: sb t1, 0(t0)\n  j 1b\n")
    with started("run", flood, "--timeout", "1") as process:
        process.wait(timeout=60)
    assert process.returncode == 124


def test_without_standard_streams() -> None:
    script = f"exec {sys.executable} -m rvplat run {guest(HELLO)} <&- >&-"
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("address", ["0", "[::1]:0", "unix:gdb"])
def test_it_prints_where_gdb_attaches(tmp_path: Path, address: str) -> None:
    """Port 0 asks the host for any free port, so only the printed line gives its number."""
    words = ["run", str(guest(LOOP)), "--gdb", address, "--halt"]
    board = subprocess.Popen(
        [*COMMAND, *words],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert board.stderr is not None
    said, _, place = board.stderr.readline().strip().partition(": target extended-remote ")
    assert said == "rvplat: the board waits for gdb"
    if address.startswith("unix:"):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(tmp_path / place))
    else:
        host, _, port = place.rpartition(":")
        assert host == ("[::1]" if "::1" in address else "127.0.0.1")
        client = socket.create_connection((host.strip("[]"), int(port)))
    client.sendall(b"$k#6b")
    board.communicate(timeout=20)
    client.close()
    assert board.returncode == 0
