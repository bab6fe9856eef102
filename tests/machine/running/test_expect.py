"""Waiting for a regular expression: groups, pieces of output, limits, floods."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import pytest

from rvplat import Machine
from rvplat.machine.running.console import HostConsole
from rvplat.machine.running.expecting import SPAN, Expectation, compiled


@pytest.fixture
def console() -> HostConsole:
    """A console of a machine that runs."""
    found = HostConsole()
    found.running(True)
    return found


def test_groups_and_what_comes_after(console: HostConsole) -> None:
    console.write("temperature: 23 °C\r\nlogin: ".encode())
    found = console.expect(r"temperature: (?P<t>\d+) °C", timeout_s=60)
    assert found["t"] == "23" and isinstance(found, re.Match)
    assert console.expect(rb"^login: ", timeout_s=60)[0] == b"login: "
    with pytest.raises(TimeoutError, match="it wrote nothing more after\n"):
        console.expect("login", timeout_s=0)


def test_a_number_that_comes_in_pieces_is_whole(console: HostConsole) -> None:
    """A match that the next character makes longer is not taken too early."""
    console.write(b"harts 1")
    expected = Expectation(compiled(r"harts (\d+)"), 0)
    expected.look(bytearray(b"harts 1"), 0)
    assert expected.match is not None and expected.is_open
    expected.look(bytearray(b"harts 16"), 0)
    assert expected.match[1] == "16" and expected.is_open
    expected.look(bytearray(b"harts 16\r"), 0)
    assert expected.match[1] == "16" and not expected.is_open
    writer = threading.Timer(0.01, console.write, [b"6\r\n"])
    writer.start()
    assert console.expect(r"harts (\d+)", timeout_s=60)[1] in ("16", "1")
    writer.join()
    prompt = Expectation(compiled("# $"), 0)
    prompt.look(bytearray(b"~ # "), 0)
    assert prompt.match is not None and not prompt.is_open


def test_a_match_over_the_edge_of_a_window() -> None:
    for before in range(SPAN - 12, SPAN + 2):
        output = bytearray(b"-" * before + b"<needle>" + b"-" * 3 * SPAN)
        expected = Expectation(compiled("<[a-z]+>-*"), 0)
        expected.look(output, 0)
        assert expected.match is not None
        assert expected.match[0].startswith("<needle>"), before


def test_a_flood_is_searched_once(console: HostConsole) -> None:
    """Ten megabytes: what is kept of them is less, and the text in their middle is found."""
    line = b"one of many lines that a guest writes without end\r\n"

    def flood() -> None:
        for number in range(2000):
            console.write(line * 100)
            if number == 1000:
                console.write(b"here is 4711\r\n")

    writer = threading.Thread(target=flood)
    writer.start()
    assert console.expect(r"here is (\d+)", timeout_s=100)[1] == "4711"
    writer.join()

    class Counted(Expectation):
        searched = 0

        def _search(self, output: bytearray, low: int, high: int) -> bool:
            self.searched += high - low
            return super()._search(output, low, high)

    expected = Counted(compiled("never"), 0)
    output = bytearray()
    for _ in range(4000):
        output += b"x" * 100
        if expected.is_due(len(output)):
            expected.look(output, 0)
    assert 0 < expected.searched <= 3 * len(output)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda c: c.expect("(", 1), ValueError, "pattern='(': no regular expression: missing ), "),
        (lambda c: c.expect(1, 1), TypeError, "pattern=1: expected a regular expression"),
        (lambda c: c.expect("x", "1"), TypeError, "timeout_s='1': expected seconds"),
        (lambda c: c.send_line(b"x"), TypeError, "text=b'x': expected a string"),
        (lambda c: HostConsole().expect("x"), TimeoutError,
         "no match for 'x' from the guest: the machine was not started: call start(); it wrote "
         "nothing"),
    ],
)  # fmt: skip
def test_wrong_arguments(
    call: Callable[[Any], Any], kind: type[Exception], message: str, console: HostConsole
) -> None:
    with pytest.raises(kind) as found:
        call(console)
    assert str(found.value).startswith(message)


def test_a_guest_that_ends_and_the_guests_time() -> None:
    with Machine.open(program="demo", settings={"clock": "virtual"}) as machine:
        machine.start()
        console = machine.console
        assert console.expect(r"^\s+harts\s+(\d+)", guest_s=60)[1] == "1"
        with pytest.raises(TimeoutError) as found:
            console.expect("Powering", guest_s=0.01)
        assert ": 0.01 s of the guest's time have passed; it wrote" in str(found.value)
        assert "| Powering" not in str(found.value)
        with pytest.raises(TimeoutError) as ended:
            console.expect("never", timeout_s=60)
        assert "the machine stopped: the guest powered the machine off; it wrote\n" in str(
            ended.value
        )
        assert "\n  | Powering off.\nhart 0: " in str(ended.value)
