"""`rvplat guest`: fetches guests."""

from __future__ import annotations

import argparse
from pathlib import Path

from rvplat.cli.say import progress


class Guest:
    """Fetches Debian's firmware, kernel and user space."""

    name = "guest"
    help = "fetch a guest: OpenSBI, U-Boot, Debian's kernel and busybox"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("guest", choices=["debian"], help="which")
        parser.add_argument("directory", type=Path, metavar="DIR", help="where to")
        parser.add_argument(
            "--refresh", action="store_true", help="ask the mirror for newer packages"
        )

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import HostError
        from rvplat.guests.debian import fetch

        try:
            with progress() as watched:
                guest = fetch(arguments.directory, watched, arguments.refresh)
        except OSError as error:
            raise HostError(f"{error.filename or arguments.directory}: {error.strerror}") from None
        print(f"The guest is in {arguments.directory}. It boots with\n\n  {guest.command()}\n")
        return 0
