"""gdb's monitor commands, from their help texts."""

from __future__ import annotations

from generate.markdown import block
from rvplat.gdb.monitor import dispatch  # noqa: F401 (enters the commands)
from rvplat.gdb.monitor.command import BUILT_IN


def page() -> str:
    """A section for each command: what `monitor help COMMAND` says."""
    parts = []
    for name, command in sorted(BUILT_IN.items()):
        parts += [f"## `monitor {name}`", block(command.help)]
    return "\n\n".join(parts)
