"""`rvplat cache`: shows or removes what is kept from one start to the next."""

from __future__ import annotations

import argparse
import os
import sys
import time

from rvplat.cache import LIMIT_BYTES, UNUSED_DAYS, CacheEntry, cache_folder, clear, entries, prune
from rvplat.tables import table

ABOUT = f"""\
The first start compiles each extension by itself, and what they share. The code is kept in the
user's cache folder (the environment variable RVPLAT_CACHE names another one). It is compiled again
after a change of its texts, in rvplat or a plugin, or of the processor. Each write to the folder
also removes the files that were not used for {UNUSED_DAYS} days, and then the least recently used
files until the rest takes at most {LIMIT_BYTES >> 20} MiB.
"""
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


class Cache:
    """Lists what the cache folder holds, or removes it."""

    name = "cache"
    help = "show what is kept from one start to the next, or remove it"

    def configure(self, parser: argparse.ArgumentParser) -> None:
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = ABOUT
        chosen = parser.add_mutually_exclusive_group()
        chosen.add_argument("--clear", action="store_true", help="remove everything")
        chosen.add_argument(
            "--prune", nargs="?", type=_days, const=float(UNUSED_DAYS), metavar="DAYS",
            help=f"remove the files that were not used for DAYS days (default: {UNUSED_DAYS})",
        )  # fmt: skip

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.clear:
            return _removed(clear())
        if arguments.prune is not None:
            return _removed(prune(arguments.prune))
        found, now = entries(), time.time()
        cells = [(size(one.size), age(now - one.used), one.title) for one in found]
        sys.stdout.write(f"folder: {cache_folder()}\n")
        sys.stdout.write(f"files: {len(found)}, {size(sum(one.size for one in found))}\n")
        if found:
            sys.stdout.write("\n" + table(("size", "last used", "what"), cells))
        return 0


def _days(text: str) -> float:
    days = float(text)
    if not days >= 0:
        raise ValueError(text)
    return days


def _removed(gone: list[CacheEntry]) -> int:
    """Print what was removed. The exit status is 2 if a file could not be removed."""
    left = [one for one in gone if os.path.lexists(one.path)]
    count, freed = len(gone) - len(left), sum(one.size for one in gone if one not in left)
    sys.stdout.write(f"removed {count} file{'s' * (count != 1)}, {size(freed)}\n")
    for one in left:
        print(f"rvplat: {one.path} can't be removed", file=sys.stderr)
    return 2 if left else 0


def size(count: int) -> str:
    """A number of bytes as text: 379 B, 265 KiB, 1.4 MiB."""
    if count < 1 << 10:
        return f"{count} B"
    return f"{count / 1024:.0f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"


def age(seconds: float) -> str:
    """How long ago, in the largest unit that gives at least one: 3 days ago, just now."""
    for length, name in _UNITS:
        count = int(seconds // length)
        if count > 0:
            return f"{count} {name}{'s' * (count > 1)} ago"
    return "just now"
