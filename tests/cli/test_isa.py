"""`rvplat isa NAME`: an extension, an instruction, a CSR."""

from pathlib import Path

import pytest

from rvplat.cli.main import main
from rvplat.engine.fast_reason import FastForms
from rvplat.isa.machinery.extension import Extension
from rvplat.machine.boards.catalogue import shipped_extensions
from rvplat.machine.inspection.extension_text import boxes, find, groups, rows_of

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
        (["mull"], 'isa: "mull" is no board, extension, instruction or CSR; did you mean "mul"?'),
        (["0x00c5850b"], 'isa: "0x00c5850b" is no board, extension, instruction or CSR (`rvplat'),
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
    known = shipped_extensions()
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
