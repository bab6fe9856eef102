"""The pages build without a warning and without a network, and the reference has everything."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

import rvplat
from rvplat import hookspecs
from rvplat.api.registry import METHODS
from rvplat.cli.commands import BUILT_IN
from rvplat.gdb.monitor import dispatch  # noqa: F401 (enters the commands)
from rvplat.gdb.monitor.command import BUILT_IN as MONITORS
from rvplat.machine.boards.catalogue import Catalogue
from rvplat.machine.boards.json_schema import board_schema
from rvplat.machine.boards.schema import fields_of
from rvplat.machine.inspection.extension_text import groups, rows_of
from rvplat.machine.running.hart import Hart
from rvplat.pluginmanager import load_plugins
from tests.docs.pages import ROOT

#: Sphinx, with a network that nothing can be had from.
OFFLINE = """
import socket, sys
def refuse(*given): raise AssertionError(f"the network is asked for: {given}")
socket.socket.connect = socket.getaddrinfo = refuse
from sphinx.cmd.build import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    built = tmp_path_factory.mktemp("docs")
    options = ["-q", "-W", "--keep-going", "-b", "html", "-d", str(built / "state")]
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, *options, str(ROOT / "docs"), str(built / "html")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return built / "html"


def words(site: Path, page: str) -> str:
    """The text of a page, one space between words."""
    text = (site / f"{page}.html").read_text()
    body = text[text.index("<article") : text.index("</article>")]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_every_command_and_option(site: Path) -> None:
    import argparse

    said = words(site, "reference/commands")
    for name, command in BUILT_IN.items():
        assert f"rvplat {name} " in said
        parser = argparse.ArgumentParser()
        command.configure(parser)
        for action in parser._actions:
            for option in action.option_strings:
                assert option in said or option in ("-h", "--help")


def test_every_board_key(site: Path) -> None:
    said = words(site, "reference/boards")
    for name, one in board_schema(Catalogue.of(load_plugins([])))["properties"].items():
        inner = one.get("additionalProperties") or one
        assert name in said
        for key, schema in (inner.get("properties", {}) if isinstance(inner, dict) else {}).items():
            assert f" {key} " in said, f"{name}.{key}"
            assert " ".join(schema["description"].replace("`", "").split())[:30] in said


def test_every_device_model_and_setting(site: Path) -> None:
    said = words(site, "reference/devices")
    for name, model in load_plugins([]).devices.items():
        assert f" {name} " in said
        for one in fields_of(model.settings_type):
            assert f" {one.name} " in said, f"{name}.{one.name}"


def test_every_extension_instruction_and_csr(site: Path) -> None:
    said = words(site, "reference/extensions")
    for extension in Catalogue.of(load_plugins([])).extensions.values():
        assert f" {extension.name} {extension.version} {extension.standing} " in said
        for row in rows_of(extension):
            assert f" {' '.join(row.syntax.split())} {row.pattern.text} " in said
        for csr, _ in groups(extension.csrs):
            assert f" {csr.number:#x} {csr.name} " in said


def test_every_hook(site: Path) -> None:
    said = words(site, "reference/hooks")
    assert all(name in said for name in vars(hookspecs) if name.startswith("rvplat_"))


def test_every_monitor_command(site: Path) -> None:
    said = words(site, "reference/monitor")
    assert all(f"monitor {name} " in said for name in MONITORS)


def test_every_method_of_the_api(site: Path) -> None:
    said = words(site, "reference/api")
    for name, one in METHODS.items():
        assert f" {name} " in said
        assert all(f" {parameter} " in said for parameter in one.hints)


def test_what_machines_and_harts_show(site: Path) -> None:
    said = words(site, "reference/python")
    for name in rvplat.__all__:
        assert name in said
    for name in (*rvplat.Machine.public, *Hart.public):
        assert re.search(rf"\b{name}\b", said), name


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    """Scripts, styles and images are the site's own."""
    for page in site.rglob("*.html"):
        fetched = re.findall(r'<(?:script|img)[^>]* src="(\w+:[^"]*)"', page.read_text())
        fetched += re.findall(r'<link[^>]* href="(\w+:[^"]*)"', page.read_text())
        assert fetched == [], page
