"""`rvplat isa NAME`: an extension, an instruction, a CSR."""

from pathlib import Path

import pytest

from rvplat.cli.isa_profile import profile_shown
from rvplat.cli.main import main
from rvplat.engine.fast_reason import FastForms
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.profiles import PROFILES
from rvplat.machine.boards.catalogue import base_extensions, shipped_extensions
from rvplat.machine.inspection.extension_text import boxes, find, groups, rows_of
from rvplat.machine.inspection.instruction_word import rows_for
from rvplat.machine.open import open_board

XMIX = Path(__file__).parents[2] / "plugins" / "examples" / "xmix.py"
MUL = """\
mul rd, rs1, rs2
Zmmul 1.0, ratified

  31:25  24:20  19:15  14:12  11:7      6:0
0000001    rs2    rs1    000    rd  0110011

The low XLEN bits of the product.
    hart.x[rd] = hart.x[rs1] * hart.x[rs2]

"""


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["isa", *words]) == 0
    return capsys.readouterr().out


def test_an_extension(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "zicond")
    assert said.startswith("Zicond 1.0, ratified: Integer conditional operations\n")
    assert "the harts of virt have it\n" in said
    assert "\nczero.eqz rd, rs1, rs2\n    0000111 rs2 rs1 101 rd 0110011\n" in said
    assert "the harts of minimal do not have it\n" in shown(capsys, "minimal", "zicond")


def test_an_extension_s_ratification(capsys: pytest.CaptureFixture[str]) -> None:
    text = 'volume I, "Zicond Extension for Integer Conditional Operations"'
    assert f"\nratified 2023-11: {text}\n" in shown(capsys, "zicond")


def test_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "RVA22S64")
    assert said.startswith("RVA22S64, ratified 2023-03\nmandatory and missing here: nothing\n")
    assert '\nharts.isa = "rva22s64" enables it\n' in said
    rows = said.splitlines()
    assert any(row.split()[:4] == ["Svpbmt", "1.0", "2021-12", "yes"] for row in rows)
    assert any(row.split()[:4] == ["Zfh", "1.0", "2021-11", "-"] for row in rows)
    assert rows.index(next(row for row in rows if row.startswith("optional  "))) > 20


def test_what_of_a_profile_is_missing() -> None:
    known = {n: e for n, e in shipped_extensions().items() if n not in ("Zkt", "Zkn")}
    board = open_board("minimal")[0]
    said = profile_shown(PROFILES["rva22u64"], board, known)
    assert "\nmandatory and missing here: Zkt\noptional and missing here: Zkn\n\n" in said
    assert "\nZkt          missing  2021-12   -        Zkt Extension for Data-Ind" in said


def test_an_instruction_by_each_of_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("mul", "MUL", "zmmul.mul"):
        assert shown(capsys, name).startswith(MUL)


def test_a_compressed_form_and_its_conditions(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "c.addi")
    assert "15:13      12  11:7       6:2  1:0\n  000  imm[5]    rd  imm[4:0]   01\n" in said
    assert "\nis addi rd, rs1=rd, imm\n" in said
    assert "    where rd != 0" in shown(capsys, "zca")


def test_a_csr(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "fcsr")
    assert said.startswith("fcsr, CSR 0x3, URW, of F\n")
    assert "access: Illegal while FS is Off.\n" in said
    assert "\n7:5   RM\n" in said
    assert "\nwrite, by `fcsr_write`:\n    " in said
    assert "0xc03  hpmcounter3 to hpmcounter31  URO     no write is legal" in shown(capsys, "zihpm")


def test_an_instruction_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        shown(capsys, "0xfe0718e3")
        == """\
0xfe0718e3: bne a4, zero, -16
I 2.1, ratified
the harts of virt have it

       31:25  24:20  19:15  14:12         11:7      6:0
imm[12|10:5]    rs2    rs1    001  imm[4:1|11]  1100011
     1111111  00000  01110    001        10001  1100011

operand  value
rs2      0      zero
rs1      14     a4
imm      -16
"""
    )
    assert "\ncsr      0x300  mstatus\n" in shown(capsys, "0X300022F3")
    assert "\nrd       10     fa0\n" in shown(capsys, "0x02b57553")
    assert "operand" not in shown(capsys, "0x0100000f"), "pause has none"


def test_a_word_of_two_compressed_instructions(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "0x45014505")
    assert said.startswith("0x4505: c.li a0, 1\nZca 1.0, ratified\n")
    assert "\n\n0x4501: c.li a0, 0\n" in said
    assert "\nis addi rd, rs1=0, imm\n" in said


def test_a_word_that_the_harts_lack(capsys: pytest.CaptureFixture[str]) -> None:
    enables = "--set harts.isa=rv64imafdc_zicntr_zicsr_zifencei_zba enables it"
    said = shown(capsys, "minimal", "0x20b54533")
    assert f" of Zba, which the harts lack: {enables}\n" in said
    assert "of Xmix" in shown(capsys, "0x00c5850b", "--plugin", str(XMIX))


@pytest.mark.parametrize("extension", shipped_extensions().values(), ids=lambda one: one.name)
def test_every_instruction_is_found_by_its_bits(extension: Extension) -> None:
    for row in (row for row in rows_of(extension) if row.xlen in (0, 64)):
        bits = row.pattern.encode(**{
            name: operand.extract(operand.mask) for name, operand in row.pattern.operands.items()
        })  # fmt: skip
        if row.pattern.matches(bits):
            assert row in rows_for(bits, shipped_extensions().values())


def test_why_there_is_no_fast_form(capsys: pytest.CaptureFixture[str]) -> None:
    """The answer is the compiler's: not every instruction that writes state or a CSR is slow."""
    assert "slow form" not in shown(capsys, "add")
    assert (
        "runs in its slow form: every path through it calls `swap`, which only slow forms may call"
        in shown(capsys, "csrrw")
    )
    said = " ".join(shown(capsys, "mret").split())
    assert "it changes state before `enter_privilege`, where a fast form would have to" in said


def test_a_plugin_s_extension(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(capsys, "xmix", "--plugin", str(XMIX))
    assert said.startswith("Xmix 0.1, draft: Mixing\nrequires Zicsr\n")
    assert "\nmix rd, rs1, rs2\n    0000000 rs2 rs1 000 rd 0001011\n    Rotate" in said
    assert "0x800  mixkey  URW     only bits 0xffffffff can be written\n" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["mull"],
            'isa: "mull" is no board, extension, profile, instruction or CSR; did you mean "mul"?',
        ),
        (
            ["0x00c5850b"],
            "isa: 0x00c5850b: no instruction that rvplat knows; its opcode is custom-0",
        ),
        (["0x0"], "isa: 0x0000: all zeros, which is never an instruction"),
        (
            ["0x9000"],
            "isa: 0x9000: no instruction that rvplat knows; it is a compressed one of quad",
        ),
        (["0x100000013"], "isa: 0x100000013: expected at most 32 bits, an instruction word"),
        (["0xmul"], "isa: 0xmul: expected a hexadecimal number"),
        (["virt", "mul", "add"], "isa: add: expected only a BOARD and a NAME"),
    ],
)
def test_a_wrong_name_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["isa", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"rvplat: {message}")
    assert len(printed.err.splitlines()) == 1


def test_a_bad_definition_of_a_plugin_is_reported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(XMIX.read_text().replace("rotl(hart.x[rs1]", "nosuch(hart.x[rs1]"))
    assert main(["isa", "mix", "--plugin", str(bad)]) == 2
    assert f"rvplat: {bad}:" in capsys.readouterr().err


@pytest.mark.parametrize("extension", shipped_extensions().values(), ids=lambda one: one.name)
def test_every_shipped_extension_can_be_shown(extension: Extension) -> None:
    for row in rows_of(extension):
        parts = boxes(row.pattern)
        assert [part.low for part in parts] == [part.high + 1 for part in parts[1:]] + [0]
        assert parts[0].high + 1 == 8 * row.pattern.length
        found = find(f"{extension.name}.{row.name}", [extension])
        assert found is not None
        assert row in found.rows
    assert sum(count for _, count in groups(extension.csrs)) == len(extension.csrs)


def test_few_instructions_are_slow() -> None:
    known = {one.name: one for one in base_extensions()}
    forms = FastForms(known.values())
    slow = [
        (extension.name, row.name)
        for extension in known.values()
        for row in extension.instructions
        if forms.why_slow(row)
    ]
    assert {name for name, _ in slow} <= {
        "Sm", "S", "H", "Svinval", "I", "Zihintpause", "Svbare", "Zawrs", "Zicbom", "Zicsr",
        "Zifencei",
    }  # fmt: skip
    assert [row for name, row in slow if name == "I"] == ["ecall", "ebreak"]
