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
        parser.add_argument("guest", choices=["debian"], help="the guest")
        parser.add_argument("directory", type=Path, metavar="DIR", help="the folder to put it in")
        parser.add_argument(
            "--refresh", action="store_true", help="ask the mirror for newer packages"
        )
        parser.add_argument(
            "--kvm", action="store_true",
            help="also make initrd-kvm.cpio with kvm.ko, a VMM, and the kernel as its guest",
        )  # fmt: skip

    def run(self, arguments: argparse.Namespace) -> int:
        from rvplat.errors import HostError
        from rvplat.guests.debian import fetch

        try:
            with progress() as watched:
                guest = fetch(arguments.directory, watched, arguments.refresh, arguments.kvm)
        except OSError as error:
            reason = error.strerror or str(error)
            raise HostError(f"{error.filename or arguments.directory}: {reason}") from None
        print(f"The guest is in {arguments.directory}. It boots with\n\n  {guest.command()}\n")
        if arguments.kvm:
            exerciser, nested = guest.kvm_commands()
            print(f"This checks what KVM does, with a line for each check:\n\n  {exerciser}\n")
            print(f"This boots the kernel again as a guest of KVM, on two vCPUs:\n\n  {nested}\n")
        return 0
