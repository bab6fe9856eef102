"""dtc, the compiler of device trees, which Spike runs at its start. If the host has none, it is
fetched with its libraries from the host's mirror of Debian, and not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from rvplat.guests import apt

PACKAGES = ("device-tree-compiler", "libfdt1", "libyaml-0-2")
KEPT: list[tempfile.TemporaryDirectory[str]] = []  # removed when this process ends


@cache
def environment() -> dict[str, str]:
    """The environment in which "dtc" runs. RuntimeError if it can't be had."""
    if shutil.which("dtc") is not None:
        return dict(os.environ)
    if shutil.which("apt-get") is None:
        raise RuntimeError("dtc, which Spike runs, is not installed, nor is apt-get to fetch it")
    KEPT.append(tempfile.TemporaryDirectory(prefix="rvplat-dtc-"))
    root = _fetched(Path(KEPT[-1].name))
    before = {name: os.environ.get(name, "") for name in ("PATH", "LD_LIBRARY_PATH")}
    libraries = [str(one.parent) for one in root.glob("usr/lib/*/lib*.so.*")]
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(root / "usr" / "bin"), before["PATH"]]),
        "LD_LIBRARY_PATH": os.pathsep.join([*libraries[:1], before["LD_LIBRARY_PATH"]]),
    }


def _fetched(folder: Path) -> Path:
    """The packages' files, from the first of the host's mirrors that has them."""
    problems = []
    for number, source in enumerate(apt.host_sources()):
        private, root = folder / f"apt{number}", folder / f"root{number}"
        private.mkdir()
        mirror = apt.PrivateApt(private, source, source.suite, apt.host_architecture())
        try:
            mirror.update(_no_progress)
            mirror.download(PACKAGES, private, _no_progress)
        except apt.AptError as error:
            problems.append(str(error))
            continue
        for package in private.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)
        return root
    raise RuntimeError("\n".join(["dtc could not be fetched:", *problems]))


def _no_progress(text: str, share: float | None) -> None:
    """A few seconds need no progress."""
