"""`rvplat guest`: fetches guests."""

from __future__ import annotations

import argparse
from pathlib import Path

from rvplat.cli.progress import progress


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
        parser.add_argument(
            "--kvm", action="store_true",
            help="make initrd-kvm.cpio too: kvm.ko, a VMM, and the same kernel as its guest",
        )  # fmt: skip

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import HostError
        from rvplat.guests.debian import fetch

        try:
            with progress() as watched:
                guest = fetch(arguments.directory, watched, arguments.refresh, arguments.kvm)
        except OSError as error:
            raise HostError(f"{error.filename or arguments.directory}: {error.strerror}") from None
        print(f"The guest is in {arguments.directory}. It boots with\n\n  {guest.command()}\n")
        if arguments.kvm:
            exerciser, nested = guest.kvm_commands()
            print(f"What KVM does, a line for each of its aspects:\n\n  {exerciser}\n")
            print(f"The same kernel as a guest of KVM, on two virtual CPUs:\n\n  {nested}\n")
        return 0
