"""`rvplat when` and `rvplat diff` as processes."""

from __future__ import annotations

import re
from pathlib import Path

from tests.cli.test_run_command import one_line, rvplat
from tests.machine.small_guests import ECHO_ASLEEP, HELLO, guest

VIRTUAL = ("--set", "clock=virtual")


def test_when() -> None:
    done = rvplat("when", "virt", guest(HELLO), f"$t1 == {ord('l')}")
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(
        r"after \d+ instructions: hart 0, instret \d+, M mode\n"
        r"0x800000[0-9a-f]{2} <\S+>: lbu t1, 0\(a0\)\n"
        r"next: 0x800000[0-9a-f]{2} <\S+>\n",
        done.stdout.decode(),
    )
    assert done.stderr.decode().endswith("he\n")
    done = rvplat("when", "virt", guest(HELLO), "$t1 == 300", "--max-instructions", 20)
    assert done.returncode == 1
    assert done.stdout == b"not found in 20 instructions: the number of instructions is reached\n"


def test_what_when_refuses() -> None:
    program = guest(HELLO)
    for words, text in (
        ((), "expected a CONDITION, such as '$a0 == 3'"),
        (("virt", program, "$a0 =="), "'$a0 ==': expected a value, found its end"),
        (
            ("virt", program, "1", "--set", "clock=host"),
            'a search in time needs a board with a virtual clock: clock = "virtual", or --set '
            "clock=virtual",
        ),
    ):
        assert one_line(rvplat("when", *words)) == f"rvplat: when: {text}"


def test_diff(tmp_path: Path) -> None:
    """Of runs whose keys came when nobody knows; and a search in a recording."""
    one, two = tmp_path / "one", tmp_path / "two"
    for path, keys in ((one, b"abq"), (two, b"acq")):
        done = rvplat("run", "virt", guest(ECHO_ASLEEP), *VIRTUAL, "--record", path, stdin=keys)
        assert done.returncode == 0, done.stderr
    done = rvplat("diff", one, two)
    text = done.stdout.decode()
    assert done.returncode == 1, done.stderr
    assert text.startswith(f"A: {one}\nB: {two}\ninput: A has b'")
    assert "registers, RAM and output are the same for " in text
    assert text.count("lbu t1, ") == 2
    same = rvplat("diff", one, one)
    assert (same.returncode, same.stderr) == (0, b"")
    assert re.fullmatch(rb"the recordings are the same, [0-9,]+ instructions\n", same.stdout)
    done = rvplat("when", "--replay", two, f"$t1 == {ord('c')}")
    assert done.returncode == 0, done.stderr
    assert b"lbu t1, " in done.stdout


def test_what_diff_refuses(tmp_path: Path) -> None:
    one, text = tmp_path / "one", tmp_path / "text"
    text.write_text("no recording\n")
    done = rvplat("run", "virt", guest(HELLO), *VIRTUAL, "--record", one)
    assert done.returncode == 0
    newer = tmp_path / "newer"
    newer.write_text(one.read_text().replace('"rvplat recording":1', '"rvplat recording":2', 1))
    for other, problem in (
        (text, f"{text}: this is no recording of rvplat"),
        (tmp_path / "none", f"{tmp_path / 'none'}: No such file or directory"),
        (newer, f"{newer}: a recording of format 2, made by rvplat "),
    ):
        assert one_line(rvplat("diff", one, other)).startswith(f"rvplat: {problem}")
    assert one_line(rvplat("diff", one)) == "rvplat: diff: expected two recordings, A and B"
