"""The hooks that a plugin may implement, from their specifications."""

from __future__ import annotations

from generate.markdown import anchor, block, docstring
from generate.python_interface import call
from rvplat import hookspecs


def page() -> str:
    """A section for each hook."""
    found = {name: one for name, one in vars(hookspecs).items() if name.startswith("rvplat_")}
    parts = []
    for name, hook in found.items():
        parts += [f"{anchor(name)}## `{name}`", block(call(name, hook), "python"), docstring(hook)]
    return "\n\n".join(parts)
