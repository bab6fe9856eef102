"""Extensions of plugins that clash or are malformed: `rvplat check` and `rvplat run` report the
same faults."""

from pathlib import Path
from typing import Any

import pytest

import rvplat
from tests.cli.test_run_command import rvplat as command

ISA = Path(rvplat.__file__).parent / "isa"
HEAD = """\
from rvplat.hookspecs import hookimpl
from rvplat.isa.machinery.extension import Extension
from rvplat.lang import define, u32, u64

X = Extension("Xa", version="1.0", standing="ratified", requires=("I",))
@hookimpl
def rvplat_extensions():
    return [X]
"""
GOOD = """
@X.instruction("0000000 rs2 rs1 000 rd 0001011", "good rd, rs1, rs2")
def good(hart, rd, rs1, rs2):
    hart.x[rd] = 1
"""
ISA_KEY = 'harts.isa="rv64imac_zicsr_xa"'


def line(file: Path, text: str) -> str:
    """FILE:LINE of the first line that contains the text."""
    lines = Path(file).read_text().splitlines()
    return f"{file}:{next(n for n, one in enumerate(lines, 1) if text in one)}"


CASES = {
    "csr-name": (
        'X.csr(0x800, "mstatus")',
        '{at}: the CSR mstatus (0x800) has the name of mstatus (0x300) of Sm, {isa}/priv_m.py:',
    ),
    "csr-name-without-a-field": (
        'X.csr(0x800, "sstatus", storage=True)',
        '{at}: the CSR sstatus (0x800) has the name of sstatus (0x100) of S, {isa}/priv_s.py:',
    ),
    "csr-number": (
        'X.csr(0x340, "mine")',
        '{at}: the CSR mine (0x340) has the number of mscratch (0x340) of Sm, {isa}/priv_m.py:',
    ),
    "csr-of-no-number": (
        'X.csr(0x1000, "mine")', '{at}: the CSR mine (0x1000): expected a number below 0x1000',
    ),
    "written-source": (
        '@X.instruction("000000000000 rs1 000 00000 0001011", "bump rs1")\n'
        "def bump(hart, rs1):\n    hart.x[rs1] += 1  # here",
        '{here}: hart.x[rs1] is written, and rs1 may be 0: write hart.x[destination(rs1)], or say '
        'where="rs1 != 0"',
    ),
    "csr-of-a-field": (
        'X.csr(0x800, "budget")', '{at}: the CSR budget has the name of a field of every hart',
    ),
    "csr-without-anything": (
        'X.csr(0x800, "mine", storage=False)',
        '{at}: the CSR mine (0x800) has no storage: it needs a read, and a write unless it is '
        'read-only',
    ),
    "state": (
        'X.state("pc", u64)', '{at}: the state pc has the name of a field of every hart',
    ),
    "state-of-an-extension": (
        'X.state("mscratch", u64)',
        '{at}: the state mscratch has the name of a field of Sm, {isa}/priv_m.py:',
    ),
    "requires": (
        'X = Extension("Xa", "1.0", "ratified", requires=("Xnobody",))',
        '{at}: Xa names the extension Xnobody, which does not exist',
    ),
    "circle": (
        'X = Extension("Xa", "1.0", "ratified", requires=("Xa",))',
        '{at}: Xa requires Xa: a circle',
    ),
    "extension": (
        'X = Extension("Zicsr", "9.0", "ratified")',
        '{at}: the extension Zicsr is already defined at {isa}/zicsr.py:',
    ),
    "encoding": (
        '@X.instruction("0000000 rs2 rs1 000 rd 0110011", "mine rd, rs1, rs2")\n'
        'def mine(hart, rd, rs1, rs2):\n    hart.x[rd] = 0',
        '{at}: mine (0000000 rs2 rs1 000 rd 0110011) overlaps add (0000000 rs2 rs1 000 rd '
        '0110011) of I, {isa}/rv_i.py:',
    ),
    "instruction-name": (
        '@X.instruction("0000000 rs2 rs1 000 rd 0001011", "add rd, rs1, rs2")\n'
        'def add(hart, rd, rs1, rs2):\n    hart.x[rd] = 0',
        '{at}: the instruction add has the name of one of I, {isa}/rv_i.py:',
    ),
    "body": (
        '@X.instruction("0000000 rs2 rs1 000 rd 0001011", "mine rd, rs1, rs2")\n'
        'def mine(hart, rd, rs1, rs2):\n    hart.x[rd] = [1, 2]  # here',
        '{here}: List is not in the language',
    ),
    "calls-itself": (
        '@X.instruction("0000000 rs2 rs1 000 rd 0001011", "mine rd, rs1, rs2")\n'
        'def mine(hart, rd, rs1, rs2):\n    hart.x[rd] = down(hart, hart.x[rs1])\n\n'
        '@define  # here\ndef down(hart, n: u64) -> u64:\n'
        '    return down(hart, n - load_u64(hart, n)) if n != 0 else n\n\n'
        'from rvplat.isa.machinery.vocabulary import load_u64',
        '{here}: down calls itself: write a loop instead',
    ),
    "no-such-field": (
        '@X.instruction("0000000 rs2 rs1 000 rd 0001011", "mine rd, rs1, rs2")\n'
        'def mine(hart, rd, rs1, rs2):\n    hart.x[rd] = hart.nothing  # here',
        '{here}: Hart has no field nothing',
    ),
}  # fmt: skip


def both(file: Path, *more: object) -> Any:
    """The lines that check and run both report."""
    found = []
    for words in (["check", "spike"], ["run", "spike", "demo"]):
        done = command(*words, "--plugin", file, *more)
        text = done.stderr.decode()
        assert (done.returncode, done.stdout) == (2, b""), text
        lines = [one for one in text.splitlines() if not one.startswith("rvplat: compiling")]
        found.append([one.removeprefix("rvplat: ") for one in lines])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_check_reports_what_run_reports(tmp_path: Path, case: str) -> None:
    text, expected = CASES[case]
    file = tmp_path / "mine.py"
    file.write_text(HEAD + GOOD.replace("0000000", "1111111") + "\n" + text + "\n")
    place = line(file, text.splitlines()[0])
    here = line(file, "# here") if "# here" in text else ""
    isa = [] if case in ("extension",) else ["--set", ISA_KEY]
    found = both(file, *isa)
    wanted = expected.format(at=place, here=here, isa=ISA)
    assert len(found) == 1, found
    assert found[0].startswith(wanted), found[0]
    if not wanted.endswith(":"):
        assert found[0] == wanted


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "".join(CASES[case][0] + "\n" for case in (
        "csr-name", "csr-of-no-number", "state", "encoding"
    )))  # fmt: skip
    found = both(file, "--set", ISA_KEY)
    assert len(found) == 4
    assert all(one.startswith(f"{file}:") for one in found)


def test_all_bad_definitions_are_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    second = CASES["no-such-field"][0].replace("mine", "other").replace("0000000", "0000001")
    file.write_text(HEAD + GOOD.replace("0000000", "1111111") + CASES["body"][0] + "\n" + second)
    assert [one.partition(": ")[2] for one in both(file, "--set", ISA_KEY)] == [
        "List is not in the language", "Hart has no field nothing"
    ]  # fmt: skip


def test_a_circle_of_two_plugins(tmp_path: Path) -> None:
    for name, other in (("Xa", "Xb"), ("Xb", "Xa")):
        file = tmp_path / f"{name}.py"
        file.write_text(HEAD.replace('"Xa"', f'"{name}"').replace('("I",)', f'("{other}",)'))
    found = both(tmp_path / "Xa.py", "--plugin", tmp_path / "Xb.py")
    places = [line(tmp_path / f"{name}.py", "Extension(") for name in ("Xa", "Xb")]
    assert found == [
        f"{places[0]}: Xa requires Xb requires Xa: a circle",
        f"{places[1]}: Xb requires Xa requires Xb: a circle",
    ]


@pytest.mark.slow
def test_a_plugin_without_faults_has_none(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + GOOD)
    done = command("check", "spike", "--plugin", file, "--set", ISA_KEY)
    assert (done.returncode, done.stdout) == (0, b"spike: no faults\n"), done.stderr


def test_an_error_of_a_device_s_setup_is_a_fault(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("""\
from rvplat.bus import Device
from rvplat.errors import DeviceError
from rvplat.hookspecs import hookimpl

class Lamp(Device):
    model = "lamp"
    size = 16

    def setup(self):
        raise DeviceError("the lamp has no bulb")

@hookimpl
def rvplat_devices():
    return [Lamp]
""")
    where = ("--set", "devices.lamp.model=lamp", "--set", "devices.lamp.base=0x40000000")
    assert both(file, *where) == ["the lamp has no bulb"]


def test_commands_that_are_hidden_are_faults(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("""\
from types import SimpleNamespace
from rvplat.hookspecs import hookimpl

@hookimpl
def rvplat_commands():
    return [SimpleNamespace(name="run", help="", configure=print, run=print)]

@hookimpl
def rvplat_monitors():
    return [SimpleNamespace(name="walk", help="walk: mine", run=print)]
""")
    done = command("check", "spike", "--plugin", file)
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, [one for one in lines if "compiling" not in one]) == (2, [
        f"plugin mine ({file}): command 'run' is rvplat's own",
        f"plugin mine ({file}): monitor command 'walk' is rvplat's own",
    ])  # fmt: skip
