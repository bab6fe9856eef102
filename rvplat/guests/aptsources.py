"""Reads the host's apt sources, one-line and deb822 format: sources.list(5).

Only what says where Debian's packages are and which key signs them is kept. An option that
switches verification off (`trusted`, `allow-insecure`) is never taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# the names that suites of Debian have had in every release that could still run this
_DEBIAN_SUITES = frozenset(
    (
        "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
        "oldoldstable", "oldstable", "stable", "testing", "unstable",
    )
)  # fmt: skip
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)"
)


@dataclass(frozen=True)
class AptSource:
    """One mirror of Debian as the host uses it.

    `signed_by` is what Signed-By says (files, fingerprints or a whole key, continuation lines
    included), "" if the host's common keyrings are to be used; `check_valid_until` is "" or as
    written.
    """

    uri: str
    suite: str
    signed_by: str = ""
    check_valid_until: str = ""

    def deb822(self, suite: str, architecture: str) -> str:
        """A stanza that asks the same mirror, by the same key, for another suite and
        architecture."""
        lines = ["Types: deb", f"URIs: {self.uri}", f"Suites: {suite}", "Components: main"]
        lines.append(f"Architectures: {architecture}")
        if self.signed_by:
            lines.append(f"Signed-By: {self.signed_by}")
        if self.check_valid_until:
            lines.append(f"Check-Valid-Until: {self.check_valid_until}")
        return "\n".join(lines) + "\n"


def read_sources(source_list: Path, source_parts: Path) -> list[AptSource]:
    """Every source of Debian's main packages in apt's two places, in apt's order, none twice."""
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
    """The fields of a stanza, names in lower case, continuation lines kept as they are."""
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
