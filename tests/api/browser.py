"""A headless Chromium, driven by its devtools protocol."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import choreographer

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WAIT_S = 30


def find_chromium() -> str | None:
    """The path of a Chromium on this machine."""
    return next((path for name in CHROMIUMS if (path := shutil.which(name))), None)


class Page:
    """A page in a tab, and the addresses that it has asked for."""

    def __init__(self, tab: Any) -> None:
        self._tab = tab
        self.asked: list[str] = []
        self.problems: list[str] = []
        self._loaded = asyncio.Event()

    async def _command(self, name: str, **params: Any) -> Any:
        reply = await self._tab.send_command(name, params=params)
        assert "error" not in reply, reply
        return reply["result"]

    async def begin(self, url: str, dark: bool) -> None:
        """Open an address in a window of 1280x800."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self._command(f"{domain}.enable")
        self._tab.subscribe("Network.requestWillBeSent", self._asks)
        self._tab.subscribe("Network.webSocketCreated", self._opens)
        self._tab.subscribe("Runtime.exceptionThrown", self._fails)
        self._tab.subscribe("Log.entryAdded", self._logs)
        self._tab.subscribe("Page.loadEventFired", self._loads)
        size = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        await self._command("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._command("Emulation.setEmulatedMedia", features=[scheme])
        await self._command("Page.navigate", url=url)
        async with asyncio.timeout(WAIT_S):
            await self._loaded.wait()

    async def _loads(self, event: Any) -> None:
        self._loaded.set()

    async def _asks(self, event: Any) -> None:
        self.asked.append(event["params"]["request"]["url"])

    async def _opens(self, event: Any) -> None:
        self.asked.append(event["params"]["url"])

    async def _fails(self, event: Any) -> None:
        self.problems.append(str(event["params"]["exceptionDetails"]))

    async def _logs(self, event: Any) -> None:
        if event["params"]["entry"]["level"] == "error":
            self.problems.append(str(event["params"]["entry"]))

    async def value(self, script: str) -> Any:
        """The value of an expression of JavaScript."""
        found = await self._command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, (script, found)
        return found["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until an expression is true; returns its value."""
        waited = (
            "new Promise((done) => { const look = () => { let found = null; "
            f"try {{ found = {script}; }} catch (error) {{ found = null; }} "
            "if (found) done(found); else setTimeout(look, 20); }; look(); })"
        )
        try:
            async with asyncio.timeout(WAIT_S):
                return await self.value(waited)
        except TimeoutError:
            page = await self.value("document.body.innerText")
            raise AssertionError(f"not in {WAIT_S} s: {script}\n{page}\n{self.problems}") from None

    async def click(self, selector: str) -> None:
        await self.value(f"document.querySelector({selector!r}).click()")

    async def picture(self, path: Path) -> None:
        """Save what the window shows."""
        found = await self._command("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


def visit(url: str, look: Callable[[Page], Any], dark: bool = False) -> None:
    """Open an address in a new browser, and let `look` use the page."""

    async def visiting() -> None:
        async with choreographer.Browser(path=find_chromium(), headless=True) as browser:
            page = Page(await browser.create_tab("about:blank"))
            await page.begin(url, dark)
            await look(page)

    asyncio.run(visiting())
