"""Finds and loads plugins, and holds what they registered.

A plugin comes from the entry-point group `rvplat`, from a path on the command line (`--plugin`: a
file or a package's folder) or from a board's `plugins` key. The plugins that ship with rvplat are
entry points too.

    plugins = load_plugins(["lamp.py"])
    plugins.devices["lamp"]
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import linecache
import sys
import threading
import traceback
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import decode_source, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pluggy

from rvplat import hookspecs
from rvplat.bus.device import Device
from rvplat.entrypoints import entry_points
from rvplat.errors import PluginError, did_you_mean, nearest
from rvplat.frozen import frozen

T = TypeVar("T")
STAMP = "__rvplat_stamp__"
#: The names of modules that were imported by a path begin with this.
PATH_PREFIX = "rvplat_plugin_"
_importing = threading.RLock()  # machines may be opened in several threads
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("rvplat_"))


@frozen
class Plugin:
    """A loaded plugin: its name, its source, and what it registered, as (hook, name)."""

    name: str
    source: str
    module: ModuleType
    registered: tuple[tuple[str, str], ...]


@dataclass
class Plugins:
    """Everything that plugins registered, by name."""

    plugins: list[Plugin] = field(default_factory=list)
    devices: dict[str, type[Device]] = field(default_factory=dict)
    extensions: dict[str, Any] = field(default_factory=dict)
    loaders: dict[str, Any] = field(default_factory=dict)
    commands: dict[str, Any] = field(default_factory=dict)
    monitors: dict[str, Any] = field(default_factory=dict)
    boards: list[Path] = field(default_factory=list)
    manager: pluggy.PluginManager = field(init=False)
    _owners: dict[tuple[str, str], str] = field(default_factory=dict)
    _loaded: set[Path] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.manager = pluggy.PluginManager(hookspecs.PROJECT)
        self.manager.add_hookspecs(hookspecs)

    def load_entry_points(self) -> None:
        """Load every plugin that is installed."""
        for entry in entry_points():
            module = guarded(entry.name, "raised while it was loaded", entry.load)
            self.register(entry.name, entry.value, module)

    def load_path(self, path: str | Path) -> None:
        """Load a plugin from a file or a package's folder, unless it is loaded already."""
        path = Path(path).expanduser().resolve()
        if path not in self._loaded:
            self._loaded.add(path)
            taken = any(plugin.name == path.stem for plugin in self.plugins)
            name = str(path) if taken else path.stem
            module = guarded(name, "raised while it was loaded", lambda: import_path(path))
            self.register(name, str(path), module)

    def register(self, name: str, source: str, module: ModuleType) -> None:
        """Add everything that a module's hooks return."""
        try:
            self.manager.register(module, name)
            self.manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(name, self._explain(module, error)) from error
        registered = tuple(
            (hook, label)
            for hook in HOOKS
            for label in self._take(name, source, hook, self._call(name, module, hook))
        )
        self.plugins.append(Plugin(name, source, module, registered))

    def _call(self, name: str, module: ModuleType, hook: str) -> list[Any]:
        """Call one hook of one plugin; return its result as a list."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            if implementation.plugin is module:
                return guarded(name, f"{hook} raised", partial(_listed, implementation.function))
        if inspect.isfunction(getattr(module, hook, None)):
            raise PluginError(name, f"{hook} is not marked with @hookimpl of rvplat.hookspecs")
        return []

    def _take(self, name: str, source: str, hook: str, things: list[Any]) -> Iterator[str]:
        """Add what a hook returned, and yield the names. PluginError for a name that is taken."""
        if hook == "rvplat_boards":
            self.boards += [Path(thing) for thing in things]
            yield from (str(thing) for thing in things)
            return
        kind = hook.removeprefix("rvplat_")
        table: dict[str, Any] = getattr(self, kind)
        for thing in things:
            label = self._label(name, kind, thing)
            owner = self._owners.setdefault((kind, label), f"plugin {name} ({source})")
            if table.setdefault(label, thing) is not thing:
                what = f"{SINGULAR[kind]} {label!r} of {source}"
                raise PluginError(name, f"{what} is already there, from {owner}")
            yield label

    @staticmethod
    def _label(name: str, kind: str, thing: Any) -> str:
        """The name of a registered thing."""
        if kind == "devices":
            if not (inspect.isclass(thing) and issubclass(thing, Device) and thing.model):
                raise PluginError(
                    name, f"rvplat_devices gave {thing!r}, expected a Device class with a model"
                )
            return thing.model
        label = getattr(thing, "name", None)
        if not isinstance(label, str) or not label:
            raise PluginError(name, f"rvplat_{kind} gave {thing!r}, expected something with a name")
        return label

    @staticmethod
    def _explain(module: ModuleType, error: Exception) -> str:
        """The message for a misspelt hook, or else pluggy's own message."""
        marked = [
            member
            for member, value in vars(module).items()
            if hasattr(value, f"{hookspecs.PROJECT}_impl")
        ]
        for member in marked:
            if member not in HOOKS:
                return f"there is no hook {member}{did_you_mean(nearest(member, HOOKS))}"
        return str(error)


SINGULAR = {
    "devices": "device model",
    "extensions": "extension",
    "loaders": "loader",
    "commands": "command",
    "monitors": "monitor command",
}


def _listed(call: Callable[[], Iterable[Any]]) -> list[Any]:
    return list(call())


def guarded(name: str, what: str, call: Callable[[], T]) -> T:
    """Call a plugin's code. An exception becomes a PluginError with its traceback."""
    try:
        return call()
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(
            name, f"{what}: {type(error).__name__}: {error}", _theirs(error)
        ) from error


def _theirs(error: BaseException) -> str:
    """The traceback without the frames of this module and of the import system."""
    ours = (__file__, str(Path(importlib.__file__).parent), "<frozen importlib")
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if not frame.filename.startswith(ours)]
    lines = [*traceback.format_list(theirs), *traceback.format_exception_only(error)]
    return "Traceback (most recent call last):\n" + "".join(lines)


class _FreshLoader(SourceFileLoader):
    """Loads the current source of a plugin.

    It neither reads nor writes bytecode files: they identify a version of the source by its size
    and its time in whole seconds, and so would miss a quick edit of the same size. It keeps the
    text for definitions and tracebacks, which must show what was loaded and not the file's later
    contents.
    """

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError("no bytecode files for plugins")

    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        if path == self.path:
            text = decode_source(data)
            linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
        return data


class _PackageFinder:
    """Finds the modules of plugins that are packages, so that `_FreshLoader` loads them."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not name.startswith(PATH_PREFIX) or "." not in name:
            return None
        return _fresh(PathFinder.find_spec(name, path, target))


def _fresh(spec: ModuleSpec | None) -> ModuleSpec | None:
    """A module's spec, with `_FreshLoader` as the loader if the module has source."""
    if spec is not None and isinstance(spec.loader, SourceFileLoader):
        spec.loader = _FreshLoader(spec.loader.name, spec.loader.path)
    return spec


def import_path(path: Path) -> ModuleType:
    """Import a file, or a folder with `__init__.py`. It is imported again if its source, or that of
    a module in its folder, has changed; modules that were loaded before don't change."""
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        expected = "a .py file or a folder with __init__.py"
        raise PluginError(path.stem, f"{path}: no such plugin, expected {expected}")
    name = f"{PATH_PREFIX}{path.stem}_{zlib.crc32(bytes(path)):08x}"
    with _importing:
        stamp = _stamp(sorted(path.rglob("*.py")) if path.is_dir() else [file])
        known = sys.modules.get(name)
        if known is not None and getattr(known, STAMP, None) == stamp:
            return known
        _forget(name)
        return _import(path, file, name, stamp)


def _import(path: Path, file: Path, name: str, stamp: str) -> ModuleType:
    places = None
    if path.is_dir():
        places = [str(path)]
        if _PackageFinder not in sys.meta_path:
            sys.meta_path.insert(0, _PackageFinder)
        importlib.invalidate_caches()  # the folder may have new files
    spec = _fresh(spec_from_file_location(name, file, submodule_search_locations=places))
    if spec is None or spec.loader is None:
        raise PluginError(path.stem, f"{path} is not Python, expected a .py file")
    module = module_from_spec(spec)
    setattr(module, STAMP, stamp)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        _forget(name)
        raise
    return module


def _stamp(files: Iterable[Path]) -> str:
    """A digest of the names and contents of source files."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return found.hexdigest()


def _forget(name: str) -> None:
    """Remove a module and its submodules from sys.modules. Code that uses them keeps them."""
    for known in [*sys.modules]:
        if known == name or known.startswith(f"{name}."):
            del sys.modules[known]


def load_plugins(paths: Iterable[str | Path] = (), *, installed: bool = True) -> Plugins:
    """Load the installed plugins, then those at `paths`."""
    plugins = Plugins()
    if installed:
        plugins.load_entry_points()
    for path in paths:
        plugins.load_path(path)
    return plugins
