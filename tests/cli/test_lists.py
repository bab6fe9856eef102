"""Commands that list and check: boards, plugins, isa, check, dtb, schema, bench, help."""

import json
from pathlib import Path

import pytest

from rvplat.cli.commands import BUILT_IN
from rvplat.cli.main import main
from rvplat.guests.build import compiler_version
from rvplat.machine.loading.fdt_read import from_dtb

PLUGIN = """
from rvplat.hookspecs import hookimpl

class Hello:
    name = "hello"
    help = "say hello"

    def configure(self, parser):
        parser.add_argument("--to", default="you")
        parser.add_argument("--plugin")

    def run(self, arguments):
        print("hello", arguments.to)
        return 3

@hookimpl
def rvplat_commands():
    return [Hello()]
"""


def test_boards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["board", "extends", "what", "it", "is"]
    assert [line.split()[0] for line in lines[1:]] == ["minimal", "spike", "virt"]


def test_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 0
    out = capsys.readouterr().out
    assert "ns16550a" in out
    assert "devices ns16550a" in out


def test_isa_lists_version_and_standing_and_what_the_board_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["isa", "minimal"]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["M"][1:5] == ["2.0", "ratified", "2019-06", "yes"]
    assert rows["Zba"][3:5] == ["2021-11", "-"]


def test_check_reports_all_faults_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["check", "virt"]) == 0
    assert capsys.readouterr().out == "virt: no faults\n"
    board = tmp_path / "b.toml"
    board.write_text('extends = "virt"\n[harts]\ncout = 2\n[devices.x]\nmodel = "uart"\n')
    assert main(["check", str(board)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"{board}:3: harts.cout: found an unknown key" in said.err
    assert f"{board}:5: devices.x.model: found" in said.err


def test_dtb_as_text_and_as_a_blob(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["dtb", "virt", "--harts", "2"]) == 0
    assert capsys.readouterr().out.startswith("/dts-v1/;\n\n/ {\n")
    blob = tmp_path / "virt.dtb"
    assert main(["dtb", "virt", "-o", str(blob)]) == 0
    assert from_dtb(blob.read_bytes()).get("cpus") is not None
    assert main(["dtb", "virt", "-o", str(tmp_path / "no" / "x")]) == 2
    assert capsys.readouterr().err.endswith("/no/x: No such file or directory\n")


def test_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "rvplat board"


@pytest.mark.slow
def test_bench_runs_the_named_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "crc32", "--alone", "--repeat", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["programs"]] == ["crc32"]
    assert main(["bench", "beside", "--worlds", "--repeat", "1"]) == 0
    assert "of its speed in HS mode" in capsys.readouterr().out
    assert main(["bench", "crc32", "--worlds", "--native"]) == 2
    assert capsys.readouterr().err == "rvplat: --native and --worlds: expected one of them\n"
    assert main(["bench", "crc", "--alone"]) == 2
    assert 'did you mean "crc32"?' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(compiler_version() is None, reason="needs ziglang")
def test_bench_compares_with_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "crc32", "--alone", "--native", "--repeat", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (row,) = found["programs"]
    assert row["native_ratio"] == row["native_seconds"] / row["seconds"]
    assert found["native"].startswith("native: ziglang ")


def test_a_plugin_adds_a_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plugin = tmp_path / "hello.py"
    plugin.write_text(PLUGIN)
    assert main(["hello", "--plugin", str(plugin), "--to", "me"]) == 3
    assert capsys.readouterr().out == "hello me\n"


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    out, command = capsys.readouterr().out, BUILT_IN[name].load()
    assert f"rvplat {name}" in out
    assert " ".join(command.help.split()) in " ".join(out.split())
    assert command.name == name


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in BUILT_IN)


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["nosuch"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
