"""Runs apt with a configuration of its own. It changes nothing on the host and installs nothing.

It uses the host's mirrors and their keys (aptsources.py), and the host's settings for reaching them
(such as proxies). It always verifies signatures. Documentation: apt.conf(5), apt-get(8), apt's
README.progress-reporting.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rvplat.frozen import frozen
from rvplat.guests.aptsources import AptSource, read_sources
from rvplat.guests.errors import GuestError, Progress

# The settings of the host that are used: those for reaching its mirrors.
_HOST_SETTINGS = (
    "Acquire::http", "Acquire::ftp", "Acquire::Proxy", "Acquire::Check-", "Acquire::Force",
    "Acquire::Max-ValidTime", "Acquire::AllowTLS", "Dir::Bin::", "Dir::Etc::trusted",
)  # fmt: skip


class AptError(GuestError):
    """apt failed; `log` is its output."""

    def __init__(self, text: str, log: str) -> None:
        super().__init__(text)
        self.log = log


def host_sources() -> list[AptSource]:
    """The mirrors of Debian that the host's apt is configured for."""
    query = ["apt-config", "shell", "L", "Dir::Etc::sourcelist/f", "P", "Dir::Etc::sourceparts/d"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    places = dict(line.partition("=")[::2] for line in answer.splitlines())
    return read_sources(Path(places["L"].strip("'")), Path(places["P"].strip("'")))


def _host_settings() -> str:
    """The host's settings for reaching mirrors, in the format of apt.conf."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return "".join(f"{line}\n" for line in dump.splitlines() if line.startswith(_HOST_SETTINGS))


@frozen
class PrivateApt:
    """A private apt for one mirror, suite and architecture. Its `folder` must exist."""

    folder: Path
    source: AptSource
    suite: str
    architecture: str

    def update(self, progress: Progress) -> None:
        """Fetch and verify the package list."""
        self._write_configuration()
        self._run(["apt-get", "update"], self.folder, f"package list of {self.suite}", progress)

    def dependencies(self, package: str) -> list[str]:
        """The packages that a package depends on directly."""
        answer = self._query(["apt-cache", "depends", "--no-recommends", package])
        lines = (line.split() for line in answer.splitlines())
        return [words[1] for words in lines if len(words) == 2 and words[0] == "Depends:"]

    def has(self, package: str) -> bool:
        """Whether the mirror has the package for this architecture."""
        return bool(self._query(["apt-cache", "madison", package]).strip())

    def download(self, packages: Sequence[str], to: Path, progress: Progress) -> None:
        """Put the packages' .deb files in a folder."""
        self._run(["apt-get", "download", *packages], to, "packages", progress)

    def _write_configuration(self) -> None:
        for name in ("state/lists/partial", "cache/archives/partial", "sources", "empty"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        stanza = self.source.deb822(self.suite, self.architecture)
        (self.folder / "sources" / "debian.sources").write_text(stanza)
        settings = {
            "Dir::State": "state", "Dir::State::status": "status", "Dir::Cache": "cache",
            "Dir::Etc::sourcelist": "none", "Dir::Etc::sourceparts": "sources",
            "Dir::Etc::main": "none", "Dir::Etc::parts": "empty",
            "Dir::Etc::preferences": "none", "Dir::Etc::preferencesparts": "empty",
        }  # fmt: skip
        lines = [f'{key} "{self.folder / value}";' for key, value in settings.items()]
        lines += [
            f'APT::Architecture "{self.architecture}";',
            f'APT::Architectures {{ "{self.architecture}"; }};',
            'APT::Update::Error-Mode "any";',
            'APT::Sandbox::User "";',  # stay this user: root's helper user can't read our folder
            'Acquire::Languages "none";',
            'Acquire::Retries "3";',
        ]
        text = _host_settings() + "\n".join(lines) + "\n"
        (self.folder / "apt.conf").write_text(text)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def _query(self, command: Sequence[str]) -> str:
        result = subprocess.run(command, capture_output=True, text=True, env=self._environment())
        return result.stdout if result.returncode == 0 else ""

    def _run(self, command: list[str], folder: Path, what: str, progress: Progress) -> None:
        """Run apt-get and report its progress. AptError with its messages if it fails."""
        log_path = self.folder / "log"
        reading, writing = os.pipe()
        with log_path.open("w") as log:
            process = subprocess.Popen(
                [command[0], "-o", f"APT::Status-Fd={writing}", *command[1:]],
                cwd=folder, env=self._environment(), pass_fds=[writing],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        os.close(writing)
        with os.fdopen(reading, errors="replace") as status:
            for line in status:
                _report(line, what, progress)
        if process.wait() != 0:
            output = log_path.read_text(errors="replace")
            messages = [line for line in output.splitlines() if line[:2] in ("E:", "W:")]
            text = "\n  ".join([f"{' '.join(command[:2])} failed ({what}):", *messages])
            raise AptError(text, output)


def _report(line: str, what: str, progress: Progress) -> None:
    """Report the progress in a line of APT::Status-Fd: `dlstatus:ITEM:PERCENT:TEXT`."""
    words = line.split(":")
    if len(words) >= 3 and words[0] == "dlstatus":
        with suppress(ValueError):
            progress(f"apt: {what}", float(words[2]) / 100)


def host_architecture() -> str:
    """The architecture that the host's apt works for."""
    query = ["apt-config", "shell", "A", "APT::Architecture"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    return answer.partition("=")[2].strip().strip("'")
