"""The commands and their options, from the parsers that read the command line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from generate.markdown import block, code, table
from rvplat.cli.commands import BUILT_IN


def page() -> str:
    """A section for each command."""
    parts = []
    for name, command in BUILT_IN.items():
        loaded = command.load()
        parser = argparse.ArgumentParser(prog=f"rvplat {name}", description=loaded.help)
        loaded.configure(parser)
        parts.append(_command(parser, 2))
    return "\n\n".join(parts)


def _command(parser: argparse.ArgumentParser, level: int) -> str:
    """Usage, options, what is said at the end of --help, and the subcommands."""
    usage = parser.format_usage().removeprefix("usage: ").strip()
    parts = [f"{'#' * level} `{parser.prog}`", _sentence(parser.description), block(usage)]
    options = list(_options(parser))
    parts += [table(("option", "meaning"), options)] if options else []
    parts += [block(parser.epilog)] if parser.epilog else []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            parts += [_command(one, level + 1) for one in action.choices.values()]
    return "\n\n".join(parts)


def _sentence(text: str | None) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    """Each argument as --help has it."""
    formatter = parser._get_formatter()
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        text = action.help or ""
        if action.help is not None:
            text = formatter._expand_help(action)
        yield code(formatter._format_action_invocation(action)), text
