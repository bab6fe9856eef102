"""The gdb sessions of docs/: what is typed, and what gdb must show."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import blocks

ROOT = Path(__file__).parents[2]
PROMPT = "(gdb) "
LEFT_OUT = "..."


def dialogue(text: str) -> Iterator[tuple[str, list[str]]]:
    """(what is typed at gdb's prompt, the lines that are shown) from the blocks of a page."""
    command = ""
    shown: list[str] = []
    for line in "".join(blocks(text)).splitlines():
        if line.startswith((PROMPT, "$ ")):
            if command:
                yield command, shown
            command, shown = line.removeprefix(PROMPT) if line.startswith(PROMPT) else "", []
        else:
            shown.append(line)
    if command:
        yield command, shown


def plain(text: str) -> str:
    """Words with one space between them: gdb folds lines as wide as the terminal is."""
    return re.sub(r"\s+", " ", text).strip()


def talk(gdb: str, commands: list[str], timeout_s: float) -> list[str]:
    """What gdb, with nothing configured, answers to each of these lines."""
    done = subprocess.run(
        [gdb, "-nx", "-q"], input="".join(f"{line}\n" for line in commands), cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s, check=False,
    )  # fmt: skip
    return done.stdout.split(PROMPT)[1:]


def agrees(shown: list[str], said: str) -> bool:
    """Whether gdb's answer is what a page shows; `...` stands for what is left out. A page that
    shows nothing agrees with each answer."""
    pieces = plain("\n".join(shown)).split(LEFT_OUT)
    pattern = ".*".join(re.escape(piece.strip()) for piece in pieces)
    return not shown or re.fullmatch(pattern, plain(said), re.DOTALL) is not None
