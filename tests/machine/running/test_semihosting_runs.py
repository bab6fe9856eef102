"""Programs that use semihosting: whole runs, recordings, histories, snapshots, worlds."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.errors import RecordingError
from tests.cli.test_run_command import rvplat
from tests.machine.small_guests import guest

#: Copies what is in `in` to the console, 4 bytes at a time; then a character that is typed; writes
#: both to `out`; exits with 5.
COPY = """
  .macro call operation
  li a0, \\operation
  la a1, block
  jal semihost
  .endm
  .macro with field, value
  li t0, \\value
  la t1, block
  sd t0, 8*\\field(t1)
  .endm
  .macro at field, symbol
  la t0, \\symbol
  la t1, block
  sd t0, 8*\\field(t1)
  .endm
  csrr t0, mhartid
  bnez t0, other
  at 0, in
  with 1, 0
  with 2, 2
  call 1                  # OPEN
  mv s0, a0
  at 0, out
  with 1, 4
  with 2, 3
  call 1
  mv s2, a0
again:
  la t1, block
  sd s0, 0(t1)
  at 1, buffer
  with 2, 4
  call 6                  # READ
  bltz a0, done
  li s1, 4
  sub s1, s1, a0          # bytes that were read
  beqz s1, done
  la t0, buffer
  add t0, t0, s1
  sb zero, 0(t0)
  li a0, 4                # WRITE0
  la a1, buffer
  jal semihost
  jal put
  j again
done:
  li a0, 7                # READC
  li a1, 0
  jal semihost
  la t0, buffer
  sb a0, 0(t0)
  sb zero, 1(t0)
  li s1, 1
  li a0, 4
  la a1, buffer
  jal semihost
  jal put
  with 0, 0x20026
  with 1, 5
  call 0x18               # EXIT
other:
  addi s3, s3, 1
  j other
put:
  mv s4, ra
  la t1, block
  sd s2, 0(t1)
  at 1, buffer
  sd s1, 16(t1)
  call 5                  # WRITE
  jr s4
  .balign 16
  .option push
  .option norvc
semihost:
  slli zero, zero, 0x1f
  ebreak
  srai zero, zero, 7
  ret
  .option pop
in: .asciz "in"
out: .asciz "out"
  .data
  .balign 8
block: .space 32
buffer: .space 16
"""
TEXT = b"one two three\n"
NAME = "devices.semihosting"


def opened(folder: Path, clock: str = "virtual", harts: int = 1) -> Machine:
    settings = {
        f"{NAME}.model": "semihosting", f"{NAME}.folder": str(folder), f"{NAME}.write": True,
        "clock": clock,
    }  # fmt: skip
    return Machine.open("virt", program=guest(COPY), harts=harts, memory="64M", settings=settings)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "files"
    found.mkdir()
    (found / "in").write_bytes(TEXT)
    return found


def typed(machine: Machine, text: bytes = b"!") -> None:
    """Wait for what the program reads, and type."""
    console = machine.consoles["semihosting"]
    console.wait_for(TEXT[-1:], timeout_s=60)
    console.feed(text)


@pytest.mark.parametrize(("clock", "harts"), [("host", 1), ("virtual", 1), ("virtual", 2)])
def test_a_program_reads_writes_and_exits(folder: Path, clock: str, harts: int) -> None:
    with opened(folder, clock, harts) as machine:
        machine.start(timeout_s=120)
        typed(machine)
        stop = machine.wait()
        assert (stop.reason, stop.code) == ("off", 5)
        assert machine.consoles["semihosting"].output == TEXT + b"!"
    assert (folder / "out").read_bytes() == TEXT + b"!"


def test_a_stop_ends_the_wait_for_input(folder: Path) -> None:
    with opened(folder, "host") as machine:
        machine.start()
        machine.consoles["semihosting"].wait_for(TEXT[-1:], timeout_s=60)
        assert machine.pause().reason == "pause"


def test_a_replay_has_what_the_files_had(folder: Path, tmp_path: Path) -> None:
    """The files are others then, and are not touched."""
    recording = tmp_path / "recording"
    with opened(folder, harts=2) as machine:
        machine.record(recording)
        machine.start(timeout_s=120)
        typed(machine)
        machine.wait()
    (folder / "in").write_bytes(b"another text, which is longer")
    (folder / "out").write_bytes(b"kept")
    with opened(folder, harts=2) as machine:
        machine.replay(recording)
        assert machine.run(timeout_s=120).code == 5
        assert machine.consoles["semihosting"].output == TEXT + b"!"
    assert (folder / "out").read_bytes() == b"kept"


def test_a_replay_of_another_order_is_refused(folder: Path, tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    with opened(folder) as machine:
        machine.record(recording)
        machine.start(timeout_s=120)
        typed(machine)
        machine.wait()
    lines = recording.read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if '"semihosting: host"' in line)
    recording.write_text("".join(lines[:first] + lines[first + 1 :]))
    machine = opened(folder)
    machine.replay(recording)
    with pytest.raises(RecordingError, match="makes a call to the host that the recorded one did"):
        machine.run(timeout_s=120)
    machine.close()


def test_the_past_is_repeated_without_the_host(folder: Path) -> None:
    with opened(folder) as machine:
        machine.keep_history()
        machine.start(timeout_s=120)
        typed(machine)
        machine.wait()
        end = machine.harts[0].instret
        written = (folder / "out").read_bytes()
        (folder / "out").write_bytes(b"kept")
        (folder / "in").unlink()
        assert machine.reverse_step(200_000).reason == "history"
        assert machine.harts[0].instret == 0
        stop = machine.run(timeout_s=120)
        assert (stop.reason, stop.code, machine.harts[0].instret) == ("off", 5, end)
        assert machine.consoles["semihosting"].output == TEXT + b"!" == written
        assert (folder / "out").read_bytes() == b"kept"


def test_a_snapshot_has_the_open_files(folder: Path, tmp_path: Path) -> None:
    """A machine that is built from it may use files only if its user names the folder."""
    with opened(folder) as machine:
        machine.run(max_instructions=120)
        middle = machine.consoles["semihosting"].output
        assert 0 < len(middle) < len(TEXT)
        machine.save(tmp_path / "snap")
        machine.start(timeout_s=120)
        typed(machine)
        machine.wait()
    for settings, seen in (({f"{NAME}.folder": str(folder)}, TEXT), ({}, middle)):
        (folder / "out").write_bytes(middle)
        with Machine.from_snapshot(tmp_path / "snap", settings=settings) as machine:
            console = machine.consoles["semihosting"]
            console.feed(b"!")
            assert machine.run(timeout_s=120).code == 5
            assert console.output.startswith(seen)
            assert console.output.endswith(b"!")
        out = (folder / "out").read_bytes()
        assert out == (TEXT + b"!" if settings else middle)


def test_two_harts_call_at_once(folder: Path) -> None:
    """On the host's clock, while another thread types."""
    with opened(folder, "host", harts=4) as machine:
        machine.start(timeout_s=120)
        threading.Thread(target=typed, args=[machine]).start()
        assert machine.wait().code == 5


def test_the_command_line(folder: Path) -> None:
    program = guest(COPY)
    files = ("--semihosting-files", f"{folder}:rw")
    to_stdin = ("--console", "semihosting=stdio")
    done = rvplat("run", "virt", program, *files, *to_stdin, stdin=b"?")
    assert (done.returncode, done.stdout, done.stderr) == (5, TEXT + b"?", b"")
    done = rvplat("run", "virt", program, "--semihosting", "--timeout", 60, *to_stdin)
    assert done.returncode == 5
    assert done.stderr.decode().splitlines()[0] == (
        "rvplat: semihosting: the guest asks for 'in': refused, no folder is named "
        "(devices.NAME.folder, --semihosting-files)"
    )
