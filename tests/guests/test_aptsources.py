"""Reading the host's apt sources in both formats."""

from __future__ import annotations

from pathlib import Path

from rvplat.guests.aptsources import AptSource, parse_deb822, parse_one_line, read_sources

ONE_LINE = """\
# deb http://mirror.test/commented bookworm main
deb http://mirror.test/debian bookworm main contrib  # with a comment
deb-src http://mirror.test/debian bookworm main
deb [arch=amd64 signed-by=/k/a.gpg,/k/b.gpg trusted=yes] https://other.test/debian stable main
deb http://mirror.test/debian bookworm-updates main
deb http://vendor.test/apt bookworm stable
deb cdrom:[disk]/ bookworm main
"""

DEB822 = """\
# the first
Types: deb deb-src
URIs: http://one.test/debian http://two.test/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
Check-Valid-Until: no
Trusted: yes

Enabled: no
Types: deb
URIs: http://off.test/debian
Suites: bookworm
Components: main

Types: deb
URIs: http://vendor.test/node
Suites: nodistro
Components: main
"""


def test_one_line_format() -> None:
    assert list(parse_one_line(ONE_LINE)) == [
        AptSource("http://mirror.test/debian", "bookworm"),
        AptSource("https://other.test/debian", "stable", "/k/a.gpg /k/b.gpg"),
    ]


def test_deb822_format() -> None:
    key = "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n -----END PGP PUBLIC KEY BLOCK-----"
    assert list(parse_deb822(DEB822)) == [
        AptSource("http://one.test/debian", "bookworm", key, "no"),
        AptSource("http://two.test/debian", "bookworm", key, "no"),
    ]


def test_file_and_folder_are_read_in_order_and_each_source_once(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://b.test/debian bookworm main\n")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "2.list").write_text("deb http://b.test/debian bookworm main\n")
    (parts / "1.sources").write_text(
        "Types: deb\nURIs: http://a.test/debian\nSuites: sid\nComponents: main\n"
    )
    (parts / "3.list.save").write_text("deb http://c.test/debian bookworm main\n")
    assert read_sources(tmp_path / "sources.list", parts) == [
        AptSource("http://b.test/debian", "bookworm"),
        AptSource("http://a.test/debian", "sid"),
    ]


def test_absent_places_give_no_source(tmp_path: Path) -> None:
    assert read_sources(tmp_path / "sources.list", tmp_path / "sources.list.d") == []


def test_own_stanza_never_switches_verification_off() -> None:
    source = next(parse_deb822(DEB822))
    stanza = source.deb822("trixie", "riscv64")
    assert stanza.splitlines()[:5] == [
        "Types: deb",
        "URIs: http://one.test/debian",
        "Suites: trixie",
        "Components: main",
        "Architectures: riscv64",
    ]
    assert "Signed-By: \n -----BEGIN" in stanza
    assert "rusted" not in stanza
