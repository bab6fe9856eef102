"""`rvplat isa rva23s64`: what a profile consists of."""

from __future__ import annotations

from collections.abc import Mapping

from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.profiles import Profile
from rvplat.machine.boards.board import Board
from rvplat.machine.inspection.profile_parts import Part, missing_of, parts_of
from rvplat.tables import table


def profile_shown(profile: Profile, board: Board, known: Mapping[str, Extension]) -> str:
    """A profile: whether rvplat has all of it, then its mandatory extensions and its options."""
    missing = missing_of(profile.mandatory, known)
    lines = [f"{profile.name}, ratified {profile.ratified}"]
    lines.append(f"mandatory and missing here: {', '.join(missing) or 'nothing'}")
    absent = missing_of(profile.options, known)
    lines.append(f"optional and missing here: {', '.join(absent) or 'nothing'}")
    if not missing:
        lines.append(f'harts.isa = "{profile.name.lower()}" enables it')
    lines += ["", _table("mandatory", parts_of(profile.mandatory, known), board)]
    lines.append(_table("optional", parts_of(profile.options, known), board))
    return "\n".join(lines)


def _table(head: str, parts: list[Part], board: Board) -> str:
    enabled = {extension.name for extension in board.extensions}
    rows = [
        (part.name, part.version, part.ratified, "yes" if part.name in enabled else "-", part.title)
        for part in parts
    ]
    return table((head, "version", "ratified", board.name, "what"), rows)
