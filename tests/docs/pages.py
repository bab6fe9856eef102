"""Pages that are walked: their files are written and their commands run, as a reader would do it.

A block whose first line is a comment with a file's name is that file, or what is added to that file
(`# FILE, at the end`). A block that begins with `$ ` is a session: its commands run in the page's
folder, and the lines that are shown come in this order among those that are printed; `...` stands
for what is different or left out. Other blocks are read.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = "..."
TIMEOUT_S = 300
_FENCE = re.compile(r"( *)```(\S*)")
_FILE = re.compile(r"(?:#|//|/\*) ([\w./-]+\.\w+)(, at the end)?(?: \*/)?")
PYTHON = [sys.executable]
PROGRAMS = {"rvplat": [*PYTHON, "-m", "rvplat"], "python": PYTHON}
STATUS = "echo $?"
#: The plugin takes two seconds to import, and no page uses it.
QUICKLY = {"PYTEST_ADDOPTS": "-p no:hypothesispytest"}


def blocks(text: str) -> list[str]:
    """What stands indented or between fences, in order."""
    found: list[list[str]] = []
    fence, inside = "", False
    for line in text.splitlines():
        mark = _FENCE.fullmatch(line)
        if mark and (not fence or not mark[2]):
            fence = "" if fence else "```"
            inside = False
            if fence:
                found.append([])
        elif fence:
            found[-1].append(line)
        elif line.startswith("    ") or (not line and inside):
            if not inside:
                found.append([])
            found[-1].append(line)
            inside = True
        else:
            inside = False
    return [textwrap.dedent("\n".join(lines)).strip("\n") + "\n" for lines in found]


def file_in(block: str) -> str:
    """The name of the file that a block is; "" if it is none."""
    found = _FILE.fullmatch(block.split("\n", 1)[0])
    return found[1] if found else ""


@dataclass
class Command:
    """A command of a session, and the lines that it is shown to print."""

    line: str
    shown: list[str]


def session(block: str) -> Iterator[Command]:
    """The commands of a block; a line that ends in `\\` goes on in the next."""
    command: Command | None = None
    for line in block.splitlines():
        if command is not None and command.line.endswith("\\"):
            command.line = command.line.removesuffix("\\") + line.strip()
        elif line.startswith("$ "):
            if command is not None:
                yield command
            command = Command(line[2:], [])
        elif command is not None:
            command.shown.append(line)
    if command is not None:
        yield command


def walk(text: str, folder: Path, environment: Mapping[str, str] | None = None) -> int:
    """Do what a page says, in a folder; how many commands it ran."""
    ran = 0
    for block in blocks(text):
        if name := file_in(block):
            write(folder / name, block)
        elif block.startswith("$ "):
            ran += run_session(block, folder, environment)
    return ran


def write(path: Path, block: str) -> None:
    """Write the file that a block is, or add the block to it."""
    first, _, rest = block.partition("\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.read_text() + rest if ", at the end" in first else block)


def run_session(block: str, folder: Path, environment: Mapping[str, str] | None = None) -> int:
    """Run the commands of a block, each of which succeeds unless its status is asked for after it;
    how many there were."""
    commands = list(session(block))
    status = 0
    for number, command in enumerate(commands):
        if command.line == STATUS:
            assert command.shown == [str(status)], commands[number - 1].line
            continue
        words = shlex.split(command.line)
        if words[:2] == ["pip", "install"]:
            continue  # the tests have it
        done = subprocess.run(
            [*PROGRAMS.get(words[0], [words[0]]), *words[1:]], cwd=folder, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S, check=False, env={**os.environ, **QUICKLY, **(environment or {})},
        )  # fmt: skip
        status = done.returncode
        following = commands[number + 1].line if number + 1 < len(commands) else ""
        assert status == 0 or following == STATUS, f"$ {command.line}\n{done.stdout}"
        missing = first_missing(command.shown, done.stdout)
        assert missing is None, f"$ {command.line}\nno {missing!r} in\n{done.stdout}"
    return len(commands)


def first_missing(shown: list[str], printed: str) -> str | None:
    """The first line that is shown and was not printed, in order."""
    lines = map(_plain, printed.splitlines())
    for line in shown:
        if line == LEFT_OUT:
            continue
        parts = _plain(line).split(LEFT_OUT)
        pattern = re.compile(".*".join(map(re.escape, parts)))
        if not any(pattern.fullmatch(one) for one in lines):
            return line
    return None


def _plain(line: str) -> str:
    """A line without its times, and with one space between words."""
    return re.sub(r"\d+ ms", "N ms", " ".join(line.split()))
