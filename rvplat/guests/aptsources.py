"""Reads the host's apt sources in one-line and deb822 format: sources.list(5).

It keeps only where Debian's packages are and which keys sign them. It ignores options that switch
verification off (`trusted`, `allow-insecure`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rvplat.frozen import frozen

# The suites of Debian's releases on which this may run.
_DEBIAN_SUITES = frozenset(
    (
        "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
        "oldoldstable", "oldstable", "stable", "testing", "unstable",
    )
)  # fmt: skip
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)"
)


@frozen
class AptSource:
    """One mirror of Debian that the host uses.

    `signed_by` is the value of Signed-By (files, fingerprints or a whole key, with continuation
    lines), or "" for the host's common keyrings. `check_valid_until` is the option's value, or "".
    """

    uri: str
    suite: str
    signed_by: str = ""
    check_valid_until: str = ""

    def deb822(self, suite: str, architecture: str) -> str:
        """A stanza for another suite and architecture of the same mirror, with the same key."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {suite}", "Components: main"]
        lines.append(f"Architectures: {architecture}")
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        if self.check_valid_until:
            lines.append(f"Check-Valid-Until: {self.check_valid_until}")
        return "\n".join(lines) + "\n"


def read_sources(source_list: Path, source_parts: Path) -> list[AptSource]:
    """Each source of Debian's main packages in apt's file and folder, once, in apt's order."""
    files = [source_list] if source_list.is_file() else []
    if source_parts.is_dir():
        files += sorted(f for f in source_parts.iterdir() if f.suffix in (".list", ".sources"))
    found: dict[AptSource, None] = {}
    for file in files:
        text = file.read_text(errors="replace")
        parse = parse_deb822 if file.suffix == ".sources" else parse_one_line
        found.update(dict.fromkeys(parse(text)))
    return list(found)


def parse_one_line(text: str) -> Iterator[AptSource]:
    """The sources in a `.list` file."""
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#")[0].strip())
        if match is None:
            continue
        options = dict(word.partition("=")[::2] for word in (match["options"] or "").split())
        components = match["rest"].split()
        yield from _debian(
            [match["uri"]], [match["suite"]], components,
            options.get("signed-by", "").replace(",", " "), options.get("check-valid-until", ""),
        )  # fmt: skip


def parse_deb822(text: str) -> Iterator[AptSource]:
    """The sources in a `.sources` file."""
    for stanza in re.split(r"\n[ \t]*\n", text.replace("\r", "")):
        fields = _fields(stanza)
        types = fields.get("types", "").split()
        if fields.get("enabled", "yes").lower() == "no" or "deb" not in types:
            continue
        yield from _debian(
            fields.get("uris", "").split(), fields.get("suites", "").split(),
            fields.get("components", "").split(),
            fields.get("signed-by", ""), fields.get("check-valid-until", ""),
        )  # fmt: skip


def _fields(stanza: str) -> dict[str, str]:
    """The fields of a stanza. Names are in lower case; values keep their continuation lines."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1] in (" ", "\t") and name:
            fields[name] += "\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _debian(
    uris: list[str], suites: list[str], components: list[str], signed_by: str, valid_until: str
) -> Iterator[AptSource]:
    if "main" not in components:
        return
    for uri in uris:
        for suite in suites:
            if suite in _DEBIAN_SUITES and not uri.startswith("cdrom:"):
                yield AptSource(uri, suite, signed_by, valid_until)
