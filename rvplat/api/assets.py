"""The files of the page: those of rvplat/web, and xterm.js from the package that ships it."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from importlib.util import find_spec

from rvplat.frozen import frozen

KINDS = {
    "html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml",
}  # fmt: skip
#: Where the files of trame-xterm are. It has xterm.js and its fit addon in a component for Vue.
XTERM = "trame_xterm"
VENDOR = {
    "/vendor/xterm.js": "module/serve/trame-xterm.umd.js",
    "/vendor/xterm.css": "module/serve/style.css",
}


@frozen
class Asset:
    """A file for a browser, and its MIME type."""

    kind: str
    data: bytes


def has_xterm() -> bool:
    """Whether the package with xterm.js is installed."""
    return find_spec(XTERM) is not None


@lru_cache(64)
def find_asset(path: str) -> Asset | None:
    """The file at a path of the server; None if there is none."""
    if path in VENDOR:
        return _read(XTERM, VENDOR[path]) if has_xterm() else None
    name = path.removeprefix("/") or "index.html"
    there = {one.name for one in files("rvplat.web").iterdir()}
    return _read("rvplat.web", name) if name in there else None


def _read(package: str, name: str) -> Asset | None:
    kind = KINDS.get(name.rpartition(".")[2])
    if kind is None:
        return None
    return Asset(kind, files(package).joinpath(name).read_bytes())
