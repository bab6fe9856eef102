"""The reference, made of the code: ```` ```{generated} NAME ```` stands for what `page` of the
module of that name gives, which is Markdown.
"""

from __future__ import annotations

from importlib import import_module

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


class Generated(Directive):
    """Puts a generated text in its place."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        made: str = import_module(f"generate.{self.arguments[0]}").page()
        holder = nodes.section()
        holder.document = self.state.document
        self.state.nested_parse(made.splitlines(), 0, holder, match_titles=1)  # type: ignore[arg-type]
        return holder.children


def setup(app: Sphinx) -> ExtensionMetadata:
    """Called by Sphinx."""
    app.add_directive("generated", Generated)
    return {"version": "1", "parallel_read_safe": True}
