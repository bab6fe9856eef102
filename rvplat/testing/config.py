"""What marks, options and the ini file say about a test's machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rvplat.testing.wanted import Arguments, WrongMark, checked, merged

_PLAIN = ("board", "program", "kernel", "initrd", "append", "memory", "isa")


def wanted_by(
    config: pytest.Config, node: pytest.Item | Any, variant: Arguments | None = None,
    own: Arguments | None = None,
) -> Arguments:  # fmt: skip
    """The arguments of a test's machine. Of what is said about a key the closest counts: the
    options, then what the test passes itself (`own`), then the marks, then the ini file. `variant`:
    the values of the lists for this test.

    Raises:
        pytest.UsageError: a mark, an option or the ini file is wrong.
    """
    try:
        said = merged([_of_ini(config), *_of_marks(node)])
        options = _of_options(config)
        if variant is None:
            return merged([said, own or {}, options])
        return merged([said, own or {}, {**options, **_without(variant, own or {}, options)}])
    except WrongMark as error:
        raise pytest.UsageError(str(error)) from None


def _without(variant: Arguments, own: Arguments, options: Arguments) -> Arguments:
    """The values of lists, unless the test says its own and no option does."""
    return {name: one for name, one in variant.items() if name in options or name not in own}


def _of_marks(node: Any) -> Iterator[Arguments]:
    """The marks of a test, of its class, its module; the closest last."""
    for mark in reversed(list(node.iter_markers("rvplat"))):
        if mark.args:
            raise WrongMark(f"@pytest.mark.rvplat({mark.args[0]!r}): name it, as in board='virt'")
        yield checked(mark.kwargs, Path(node.path).parent, "@pytest.mark.rvplat")


def _of_ini(config: pytest.Config) -> Arguments:
    folder = config.inipath.parent if config.inipath is not None else config.rootpath
    found: Arguments = {}
    for name in _PLAIN:
        if text := str(config.getini(f"rvplat_{name}")).strip():
            found[name] = text
    if harts := str(config.getini("rvplat_harts")).strip():
        if not harts.isdecimal():
            raise WrongMark(f"rvplat_harts = {harts}: expected a number")
        found["harts"] = int(harts)
    if lines := config.getini("rvplat_settings"):
        found["settings"] = dict(_setting(line, "rvplat_settings") for line in lines)
    if paths := config.getini("rvplat_plugins"):
        found["plugin_paths"] = paths
    return checked(found, folder, str(config.inipath))


def _of_options(config: pytest.Config) -> Arguments:
    found: Arguments = {}
    for name in ("board", "isa"):
        given = config.getoption(f"--rvplat-{name}")
        if given:
            found[name] = given if len(given) > 1 else given[0]
    if lines := config.getoption("--rvplat-set"):
        found["settings"] = dict(_setting(line, "--rvplat-set") for line in lines)
    return checked(found, config.invocation_params.dir, "an option")


def _setting(line: str, origin: str) -> tuple[str, object]:
    from rvplat.machine.boards.toml_tree import parse_override

    try:
        found = parse_override(line)
    except ValueError as error:
        raise WrongMark(str(error).replace("--set", origin)) from None
    return ".".join(found.path), found.value
