"""The page in a headless Chromium: what it shows and does, and that nothing leaves the host."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat import Machine
from rvplat.api.assets import find_asset
from rvplat.api.server import Api
from tests.api.browser import WAIT_S, Page, find_chromium, visit
from tests.api.client import TOKEN

WEB = Path(__file__).parents[2] / "rvplat" / "web"
READY = "document.querySelectorAll('#code .instruction').length > 5"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    """The demo hypervisor, not run yet."""
    with (
        Machine.open("virt", program="hypervisor", settings={"clock": "virtual"}, harts=1) as one,
        Api(one, TOKEN) as made,
    ):
        yield made
        made.control.end("leave")


@pytest.fixture(scope="module")
def url(api: Api) -> str:
    """The address of its page."""
    if find_chromium() is None:
        pytest.skip("chromium is not installed")
    return f"http://127.0.0.1:{api.listen_web(page=True)}/"


def test_it_shows_a_machine_and_takes_it_back_and_forth(url: str, api: Api) -> None:
    """With a script for each panel. One browser for all, since a start takes a second."""

    async def look(page: Page) -> None:
        await page.until(READY)
        await to_the_guest(page)
        await panels(page, api)
        await another_address(page)
        await cancel_a_way_back(page, api)
        await back_and_forth(page)
        assert page.problems == []
        mine = (url, url.replace("http:", "ws:"))
        assert [one for one in page.asked if not one.startswith((*mine, "data:"))] == []
        assert await page.value("location.href") == url  # the token is no longer there

    visit(f"{url}#token={TOKEN.replace(' ', '%20')}", look)


async def to_the_guest(page: Page) -> None:
    """A breakpoint in the guest, through the API that the page has; then the button."""
    call = "{address: 'guest_fibonacci', world: 1, temporary: true}"
    await page.value(f"rvplat.api.call('points.break', {call})")
    await page.click("#run")
    await page.until("document.querySelector('#harts .world').textContent === 'guest 1'")
    await page.until("document.querySelector('#code-where').textContent.startsWith('fibonacci.c')")
    assert await page.value("document.querySelector('#code .source').textContent") != ""
    seen = "document.querySelector('.xterm-rows').textContent.includes('rvplat hypervisor')"
    await page.until(seen)


async def panels(page: Page, api: Api) -> None:
    pc = f"{api.machine.harts[0].pc:016x}"
    value = "document.querySelector('.registers .num').textContent.replace(' ', '')"
    await page.until(f"{value} === '{pc}'")
    for tab, script in {
        "Memory": "document.querySelectorAll('.bytes tbody tr').length === 32",
        "Walk": "document.querySelectorAll('.entry.second').length > 3 && "
        "document.querySelectorAll('.entry.first').length === 3 && "
        "document.querySelector('.end.good')",
        "Devices": "document.querySelector('#view h3').textContent.startsWith('uart0')",
        "Interrupts": "document.querySelectorAll('.way .step').length > 3",
        "Statistics": "document.querySelector('#view').textContent.includes('million a second')",
        "Timeline": "document.querySelectorAll('canvas').length === 1",
    }.items():
        await page.click(f'[data-tab="{tab}"]')
        assert await page.until(f"!!({script})"), tab


async def another_address(page: Page) -> None:
    """An address that is typed after the panel was shown again, as it is while the machine runs."""
    await page.click('[data-tab="Memory"]')
    await page.until("document.querySelectorAll('.bytes tbody tr').length === 32")
    await page.value("rvplat.refresh()")
    await page.value("document.querySelector('#view form.bar input').value = '0x80000010'")
    await page.value("document.querySelector('#view form.bar select').value = 'host'")
    await page.click("#view form.bar button")
    await page.until("document.querySelector('.bytes td.key').textContent === '0x80000010'")


async def cancel_a_way_back(page: Page, api: Api) -> None:
    """One that takes seconds: it asks for a condition at each pass of a loop of the boot."""
    history = api.machine.history
    assert history is not None
    here = history.work
    await page.value(f"rvplat.api.call('history.go', {{place: {here // 2}}})")
    loop = api.machine.harts[0].pc
    await page.value(f"rvplat.api.call('history.go', {{place: {here}}})")
    never = f"{{address: {loop}, condition: '$a0 == 0x123456789'}}"
    await page.value(f"rvplat.api.call('points.break', {never})")
    pieces = history._pieces

    def held() -> Any:
        """The way back takes until it is cancelled."""
        end = time.monotonic() + WAIT_S
        while not history.cancel and time.monotonic() < end:
            time.sleep(0.01)
        history._pieces = pieces  # type: ignore[method-assign]
        return pieces()

    history._pieces = held  # type: ignore[method-assign]
    await page.click("#reverse")
    await page.until("document.querySelector('#reverse').textContent === 'Cancel'")
    while not history.is_travelling:
        await asyncio.sleep(0.01)
    await page.click("#reverse")
    await page.until("document.querySelector('#reverse').textContent === 'Run back'")
    assert "cancelled" in await page.value("document.querySelector('#reason').textContent")
    number = [*api.machine.breakpoints][-1].number
    await page.value(f"rvplat.api.call('points.remove', {{number: {number}}})")
    await page.value(f"rvplat.api.call('history.go', {{place: {here}}})")


async def back_and_forth(page: Page) -> None:
    """Step back, step, and run to the end of the guest."""
    pc = "document.querySelector('#harts code').textContent"
    await page.value("rvplat.refresh()")
    here = await page.value(pc)
    await page.click("#back")
    await page.until(f"{pc} !== '{here}'")
    await page.click("#step")
    await page.until(f"{pc} === '{here}'")
    await page.click("#run")
    await page.until("document.querySelector('#state').textContent === 'off'")
    await page.until("document.querySelector('.xterm-rows').textContent.includes('Powering off')")
    assert await page.value("rvplat.timeline.kept.length") > 0


def test_a_page_without_the_token_gets_nothing(url: str) -> None:
    async def look(page: Page) -> None:
        await page.until("document.querySelector('#state').textContent === 'disconnected'")
        assert await page.value("document.querySelectorAll('.instruction').length") == 0
        said = await page.value("document.querySelector('#reason').textContent")
        assert said.startswith("hello: this is not the token")

    visit(f"{url}#token=wrong", look)


def test_its_files_are_small_and_name_no_other_host() -> None:
    for path in WEB.iterdir():
        if path.suffix in (".js", ".css", ".html"):
            text = path.read_text()
            assert len(text.splitlines()) <= 400, path
            assert re.findall(r"(?:https?:)?//\w+\.\w+", text) == [], path
            assert find_asset(f"/{path.name}") is not None


@pytest.mark.parametrize("path", ["/../server.py", "/__init__.py", "/nothing", "/vendor/", "//etc"])
def test_no_other_file_is_served(path: str) -> None:
    assert find_asset(path) is None
