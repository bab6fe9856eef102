"""Gets the Debian packages of the guest, by the host's apt or from the user's own files."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from rvplat.guests import apt
from rvplat.guests.aptsources import AptSource
from rvplat.guests.deb import read_package
from rvplat.guests.errors import GuestError, Progress

SUITE = "trixie"
ARCHITECTURE = "riscv64"
KERNEL = "linux-image"
_KERNEL_METAPACKAGE = "linux-image-riscv64"
_KERNEL_PACKAGE = re.compile(r"linux-image-\d\S*-riscv64$")
_KERNEL_FILE = re.compile(r"linux-image-\d[^_]*-riscv64_(?P<version>[^_]+)_riscv64\.deb$")
_KEYRING_PACKAGE = "debian-archive-keyring"

CONTENTS = {
    KERNEL: "the kernel and its modules",
    "opensbi": "the firmware: fw_jump, fw_dynamic",
    "u-boot-qemu": "U-Boot",
    "busybox-static": "the user space",
}
"""The packages by the first part of their file names, and what each contains."""


def find_packages(folder: Path) -> dict[str, Path]:
    """The packages that are in a folder already; the newest one, if there are several versions."""
    found: dict[str, Path] = {}
    for file in sorted(folder.glob("*.deb"), key=_version_key):
        if _KERNEL_FILE.match(file.name):
            found[KERNEL] = file
        elif (name := file.name.split("_")[0]) in CONTENTS and name != KERNEL:
            found[name] = file
    return found


def _version_key(file: Path) -> list[tuple[int, str]]:
    """A sort key for which numbers in a name compare as numbers."""
    return [(int(n or 0), text) for n, text in re.findall(r"(\d*)(\D*)", file.name)]


def download_packages(folder: Path, progress: Progress) -> None:
    """Download the newest version of every package into `folder` with apt."""
    if shutil.which("apt-get") is None:
        raise GuestError(_by_hand(folder, "There is no apt-get on this machine."))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = ", ".join(CONTENTS)
    progress(f"apt: fetching {wanted} of Debian {SUITE} for {ARCHITECTURE}", None)
    with tempfile.TemporaryDirectory(prefix="apt-", dir=folder) as private:
        mirror = _working_mirror(Path(private), folder, progress)
        kernel = [p for p in mirror.dependencies(_KERNEL_METAPACKAGE) if _KERNEL_PACKAGE.match(p)]
        if not kernel:
            raise GuestError(f"{_KERNEL_METAPACKAGE} of {SUITE} depends on no kernel package")
        names = [kernel[0], *(name for name in CONTENTS if name != KERNEL)]
        progress("apt: " + ", ".join(names), 0.0)
        mirror.download(names, folder, progress)


def _working_mirror(private: Path, folder: Path, progress: Progress) -> apt.PrivateApt:
    """The first of the host's mirrors that has the packages. Its package list has been fetched and
    verified."""
    failures = []
    for number, source in enumerate(apt.host_sources()):
        try:
            mirror = _updated(private / str(number), source, progress)
        except apt.AptError as error:
            failures.append(str(error))
            continue
        if mirror.has(_KERNEL_METAPACKAGE):
            return mirror
        failures.append(f"{source.uri} has no {_KERNEL_METAPACKAGE} in {SUITE}")
    why = "\n".join(failures) or "The host's apt has no source of Debian's main packages."
    raise GuestError(_by_hand(folder, why))


def _updated(private: Path, source: AptSource, progress: Progress) -> apt.PrivateApt:
    """An apt for the mirror, whose package list is verified with the host's keys or newer ones.

    A host with an older release lacks the keys of a newer release. Its own release offers a newer
    package of keys, which is verified with the keys that the host has.
    """
    mirror = _private_apt(private / "host-keys", source)
    try:
        mirror.update(progress)
    except apt.AptError as error:
        if "NO_PUBKEY" not in error.log and "Missing key" not in error.log:
            raise
        progress(f"apt: the host lacks the keys of {SUITE}: fetching {_KEYRING_PACKAGE}", None)
        keyring = _newer_keyring(private, source, progress)
        mirror = _private_apt(private / "newer-keys", replace(source, signed_by=str(keyring)))
        mirror.update(progress)
    return mirror


def _private_apt(
    folder: Path, source: AptSource, suite: str = SUITE, architecture: str = ARCHITECTURE
) -> apt.PrivateApt:
    folder.mkdir(parents=True)
    return apt.PrivateApt(folder, source, suite, architecture)


def _newer_keyring(private: Path, source: AptSource, progress: Progress) -> Path:
    """Debian's keyring from the package that the host's own release offers now."""
    own = _private_apt(private / "own-release", source, source.suite, apt.host_architecture())
    own.update(progress)
    own.download([_KEYRING_PACKAGE], own.folder, progress)
    package = next(own.folder.glob(f"{_KEYRING_PACKAGE}_*.deb"))
    wanted = f"usr/share/keyrings/{_KEYRING_PACKAGE}"
    contents = read_package(package, lambda name: name.rpartition(".")[0] == wanted)
    name, data = min(contents.items())
    keyring = private / Path(name).name
    keyring.write_bytes(data)
    return keyring


def _by_hand(folder: Path, why: str) -> str:
    """A message: why apt can't get the packages, which they are, and where to put them."""
    lines = [why, f"The guest needs these packages of Debian {SUITE}, architecture {ARCHITECTURE}:"]
    for name, what in CONTENTS.items():
        shown = "linux-image-VERSION-riscv64" if name == KERNEL else name
        lines.append(f"  {shown:<28} {what}")
    lines.append(f"Any Debian mirror has them: put the .deb files into {folder}, and try again.")
    return "\n".join(lines)


def missing_packages(folder: Path) -> list[str]:
    """The names of the packages that a folder lacks."""
    found = find_packages(folder)
    return [name for name in CONTENTS if name not in found]
