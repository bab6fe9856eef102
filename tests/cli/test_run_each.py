"""`rvplat run --each`: many programs in one process, a line and a verdict for each."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.test_run_command import one_line, rvplat
from tests.machine import failing
from tests.machine.small_guests import FAIL, HELLO, LOOP, POWER_OFF, TOHOST, guest


def suite(folder: Path, **sources: str) -> Path:
    """A folder of programs."""
    folder.mkdir()
    for name, source in sources.items():
        shutil.copy(guest(source), folder / name)
    return folder


def lines(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """The lines on stdout, without the times."""
    return re.sub(r" +\d+\.\d{3} s ", "", done.stdout.decode()).splitlines()


def test_each_program_of_a_folder_has_its_line(tmp_path: Path) -> None:
    folder = suite(tmp_path / "suite", b_fails=FAIL, a_hello=HELLO, c_endless=LOOP)
    (folder / "a_hello.dump").write_text("no program")
    done = rvplat("run", "--each", folder, "--timeout", "0.2")
    assert (done.returncode, done.stderr) == (1, b"")
    assert lines(done) == [
        f"pass {folder}/a_hello",
        f"FAIL {folder}/b_fails: the guest says that it failed, code 7, status 7",
        f"FAIL {folder}/c_endless: the time is up, status 124",
        "3 programs: 1 passed, 2 failed",
    ]


def test_programs_may_be_named_and_the_board_too(tmp_path: Path) -> None:
    folder = suite(tmp_path / "suite", good=TOHOST.format(value=1), bad=TOHOST.format(value=7))
    done = rvplat("run", "spike", "--each", folder / "good", folder / "good")
    assert (done.returncode, lines(done)[-1]) == (0, "2 programs: 2 passed, 0 failed")
    out = tmp_path / "signatures"
    done = rvplat("run", "spike", "--each", folder / "good", "--each", folder / "bad",
                  "--signature", out)  # fmt: skip
    assert (done.returncode, lines(done)[-1]) == (1, "2 programs: 1 passed, 1 failed")
    assert sorted(path.name for path in out.iterdir()) == ["bad.signature", "good.signature"]
    one = rvplat("run", "spike", folder / "good", "--signature", tmp_path / "one")
    assert one.returncode == 0
    assert (out / "good.signature").read_text() == (tmp_path / "one").read_text()


def test_only_failing_programs_show_their_output(tmp_path: Path) -> None:
    talks = HELLO.replace("0x5555", "0x13333")
    folder = suite(tmp_path / "suite", says_hello=talks, says_it_too=HELLO)
    done = rvplat("run", "--each", folder)
    assert done.stdout.count(b"    | hello\r\n") == 1
    assert lines(done)[-1] == "2 programs: 1 passed, 1 failed"


def test_a_file_that_is_no_program_is_one_failure(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF" + bytes(200))
    done = rvplat("run", "--each", broken, guest(HELLO))
    assert done.returncode == 1
    assert f"FAIL {broken}: " in lines(done)[0]
    assert lines(done)[-1] == "2 programs: 1 passed, 1 failed"


def test_options_for_one_program_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert one_line(rvplat("run", "--each", empty)) == (
        f"rvplat: --each {empty}: no ELF file in this folder"
    )
    assert one_line(rvplat("run", "--each", tmp_path / "none")) == (
        f"rvplat: --each {tmp_path / 'none'}: no such file or folder"
    )
    assert one_line(rvplat("run", "--each", guest(HELLO), "--trace", tmp_path / "t")) == (
        "rvplat: --each: --trace works with one program only"
    )
    assert one_line(rvplat("run", "--each", guest(HELLO), "--stats")) == (
        "rvplat: --each: --stats works with one program only"
    )
    assert one_line(rvplat("run", "--each", guest(HELLO), "--disk", tmp_path / "d")) == (
        "rvplat: --each: --disk works with one program only"
    )
    assert one_line(rvplat("run", "--each", guest(HELLO), "--halt")) == (
        "rvplat: --each: --halt works with one program only"
    )
    assert one_line(rvplat("run", "--each", guest(HELLO), "--profile", tmp_path / "p")) == (
        "rvplat: --each: --profile works with one program only"
    )
    assert one_line(rvplat("run", "--each", guest(HELLO), "--timeline", tmp_path / "t")) == (
        "rvplat: --each: --timeline works with one program only"
    )
    assert one_line(rvplat("run", "virt", "demo", "--each", guest(HELLO))) == (
        "rvplat: --each: expected at most a BOARD before it; programs come after --each"
    )


@pytest.mark.slow
def test_a_plugin_that_raises_is_a_failure(tmp_path: Path) -> None:
    """The next program still runs, on a new machine."""
    reads = guest("  li t0, 0x10010000\n  lw t1, 0(t0)\n" + POWER_OFF)
    done = rvplat("run", failing.board(tmp_path), "--each", reads, guest(HELLO), "--timeout", "5")
    first, *rest = lines(done)
    assert first.startswith(f"FAIL {reads}: "), first
    assert "KeyError" in first
    assert (done.returncode, rest[-1]) == (1, "2 programs: 1 passed, 1 failed")


def test_a_program_without_a_signature_is_one_failure(tmp_path: Path) -> None:
    signed = guest(TOHOST.format(value=1))
    done = rvplat("run", "spike", "--each", guest(LOOP), signed, "--max-instructions", "10000",
                  "--signature", tmp_path / "signatures")  # fmt: skip
    assert (done.returncode, lines(done)[-1]) == (1, "2 programs: 1 passed, 1 failed")
    assert "begin_signature" in lines(done)[0]


def test_one_program_is_counted_as_one(tmp_path: Path) -> None:
    done = rvplat("run", "--each", guest(HELLO))
    assert (done.returncode, lines(done)[-1]) == (0, "1 program: 1 passed, 0 failed")


def test_pieces_are_loaded_beside_each_program(tmp_path: Path) -> None:
    """`--load` applies to each. Each program here powers off with the loaded word as its code."""
    piece = tmp_path / "piece"
    piece.write_bytes((0x5555).to_bytes(4, "little"))
    reads = guest(
        "  li t0, 0x84000000\n  lw t1, 0(t0)\n  li t0, 0x100000\n  sw t1, 0(t0)\n1: j 1b\n"
    )
    done = rvplat("run", "--each", reads, reads, "--load", f"0x84000000={piece}", "--timeout", "5")
    assert (done.returncode, lines(done)[-1]) == (0, "2 programs: 2 passed, 0 failed")
