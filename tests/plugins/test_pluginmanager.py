"""Plugins: found, loaded, refused; and every hook, used as a stranger would."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

import pytest

import rvplat.hookspecs
from rvplat.bus import Line, VirtualClock, Wiring
from rvplat.errors import PluginError
from rvplat.pluginmanager import HOOKS, Plugins, load_plugins

EXAMPLES = Path(__file__).parents[2] / "plugins/examples"
SHIPPED = {
    "clint", "goldfish_rtc", "htif", "ns16550a", "plic", "sifive_test",
    "virtio-blk", "virtio-console", "virtio-mmio", "virtio-rng",
}  # fmt: skip


def plugin(folder: Path, name: str, body: str) -> Path:
    """A plugin's file, with the imports that each needs."""
    path = folder / f"{name}.py"
    head = "from rvplat.bus import Device\nfrom rvplat.hookspecs import hookimpl\n"
    path.write_text(head + body)
    return path


def device(name: str, kind: str = "Lamp") -> str:
    return f"""
class {kind}(Device):
    model = "{name}"
    size = 16

@hookimpl
def rvplat_devices():
    return [{kind}]
"""


def refused(path: Path, *before: Path) -> str:
    """The message with which a plugin is refused."""
    plugins = load_plugins(before, installed=False)
    with pytest.raises(PluginError) as caught:
        plugins.load_path(path)
    return str(caught.value)


def test_what_ships_comes_through_the_entry_points() -> None:
    plugins = load_plugins()
    assert set(plugins.devices) >= SHIPPED
    names = {plugin.name: plugin.source for plugin in plugins.plugins}
    assert names["ns16550a"] == "rvplat_plugins.ns16550a"


def test_every_shipped_device_is_documented_and_resets() -> None:
    for model, kind in load_plugins().devices.items():
        assert kind.__doc__, model
        assert "https://" in (inspect.getmodule(kind).__doc__ or ""), model


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_and_tested(hook: str) -> None:
    assert inspect.getdoc(getattr(rvplat.hookspecs, hook))
    assert f"test_hook_{hook}" in globals()


def test_hook_rvplat_devices(tmp_path: Path) -> None:
    plugins = load_plugins([plugin(tmp_path, "lamps", device("lamp"))], installed=False)
    assert plugins.devices["lamp"].__name__ == "Lamp"
    assert plugins.plugins[0].registered == (("rvplat_devices", "lamp"),)
    assert plugins.plugins[0].source == str(tmp_path / "lamps.py")


THINGS = """
class Thing:
    name = "thing"

@hookimpl
def {hook}():
    return [Thing()]
"""


@pytest.mark.parametrize("kind", ["extensions", "loaders", "commands", "monitors"])
def test_hooks_that_give_things_with_names(tmp_path: Path, kind: str) -> None:
    path = plugin(tmp_path, "things", THINGS.format(hook=f"rvplat_{kind}"))
    plugins = load_plugins([path], installed=False)
    assert list(getattr(plugins, kind)) == ["thing"]


test_hook_rvplat_extensions = test_hooks_that_give_things_with_names
test_hook_rvplat_loaders = test_hooks_that_give_things_with_names
test_hook_rvplat_commands = test_hooks_that_give_things_with_names
test_hook_rvplat_monitors = test_hooks_that_give_things_with_names


def test_hook_rvplat_boards(tmp_path: Path) -> None:
    body = """
from pathlib import Path

@hookimpl
def rvplat_boards():
    return [Path("/somewhere")]
"""
    plugins = load_plugins([plugin(tmp_path, "boards", body)], installed=False)
    assert plugins.boards == [Path("/somewhere")]


def test_a_package_imports_its_own_modules(tmp_path: Path) -> None:
    folder = tmp_path / "lamps"
    folder.mkdir()
    plugin(folder, "models", device("lamp"))
    (folder / "__init__.py").write_text("from .models import rvplat_devices\n")
    assert list(load_plugins([folder], installed=False).devices) == ["lamp"]


def test_a_path_is_loaded_once(tmp_path: Path) -> None:
    path = plugin(tmp_path, "lamps", device("lamp"))
    plugins = load_plugins([path, str(path)], installed=False)
    assert len(plugins.plugins) == 1
    again = load_plugins([path], installed=False)
    assert again.devices["lamp"] is plugins.devices["lamp"]
    path.write_text(path.read_text().replace("size = 16", "size = 3200"))
    assert load_plugins([path], installed=False).devices["lamp"].size == 3200


def size_of_lamp(path: Path) -> int:
    return load_plugins([path], installed=False).devices["lamp"].size


def test_an_edit_takes_effect_whatever_size_and_time_the_file_has(tmp_path: Path) -> None:
    path = plugin(tmp_path, "lamps", device("lamp"))
    old = load_plugins([path], installed=False).devices["lamp"]
    status = path.stat()
    path.write_text(path.read_text().replace("size = 16", "size = 32"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert size_of_lamp(path) == 32
    assert old.size == 16, "machines that have it keep it"
    path.write_text(path.read_text().replace("size = 32", "size = 64"))
    assert size_of_lamp(path) == 64


def test_an_edit_of_a_module_in_a_package_takes_effect(tmp_path: Path) -> None:
    folder = tmp_path / "lamps"
    folder.mkdir()
    model = plugin(folder, "models", device("lamp"))
    (folder / "__init__.py").write_text("from .models import rvplat_devices\n")
    assert size_of_lamp(folder) == 16
    model.write_text(model.read_text().replace("size = 16", "size = 32"))
    assert size_of_lamp(folder) == 32
    other = plugin(folder, "others", device("lamp").replace("size = 16", "size = 64"))
    (folder / "__init__.py").write_text("from .others import rvplat_devices\n")
    assert size_of_lamp(folder) == 64
    assert not list(tmp_path.rglob("*.pyc"))
    other.unlink()
    with pytest.raises(PluginError, match=r"No module named '.*\.others'"):
        load_plugins([folder], installed=False)


def test_a_traceback_shows_what_was_loaded(tmp_path: Path) -> None:
    path = plugin(tmp_path, "late", "\n\ndef helper():\n    return 1 / 0\n")
    module = load_plugins([path], installed=False).plugins[0].module
    path.write_text("# another text\n" * 10)
    with pytest.raises(ZeroDivisionError) as caught:
        module.helper()
    assert traceback.extract_tb(caught.value.__traceback__)[-1].line == "return 1 / 0"


def test_two_files_of_one_name_are_two_plugins(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    one = plugin(tmp_path / "a", "lamps", device("lamp"))
    other = plugin(tmp_path / "b", "lamps", device("torch"))
    assert set(load_plugins([one, other], installed=False).devices) == {"lamp", "torch"}


def test_a_duplicate_model_is_refused_with_both_names(tmp_path: Path) -> None:
    one = plugin(tmp_path, "one", device("lamp"))
    other = plugin(tmp_path, "other", device("lamp"))
    assert refused(other, one) == (
        f"plugin other: device model 'lamp' of {other} is already there, from plugin one ({one})"
    )


def test_two_models_of_one_name_in_a_plugin_are_refused(tmp_path: Path) -> None:
    body = device("lamp") + device("lamp", "Other").replace("[Other]", "[Lamp, Other]")
    path = plugin(tmp_path, "both", body)
    assert refused(path) == (
        f"plugin both: device model 'lamp' of {path} is already there, from plugin both ({path})"
    )


def test_two_extensions_of_one_name_are_refused_with_both_files(tmp_path: Path) -> None:
    body = (
        "from rvplat.isa.machinery.extension import Extension\n"
        "@hookimpl\ndef rvplat_extensions():\n    return [Extension('Xa', '1', 'draft')]\n"
    )
    one, other = plugin(tmp_path, "one", body), plugin(tmp_path, "other", body)
    assert refused(other, one) == (
        f"plugin other: extension 'Xa' of {other} is already there, from plugin one ({one})"
    )


def test_a_plugin_that_raises_is_named_with_its_traceback(tmp_path: Path) -> None:
    path = plugin(tmp_path, "bad", "\n\ndef helper():\n    return 1 / 0\n\nhelper()\n")
    lines = [line for line in refused(path).splitlines() if line.strip(" ~^")]
    assert lines == [
        "plugin bad: raised while it was loaded: ZeroDivisionError: division by zero",
        "Traceback (most recent call last):",
        f'  File "{path}", line 8, in <module>',
        "    helper()",
        f'  File "{path}", line 6, in helper',
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]
    files = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    assert str(path) not in files, "what was loaded of it is gone"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("syntax error(", "plugin bad: raised while it was loaded: SyntaxError: "),
        ("import no_such_module", "plugin bad: raised while it was loaded: ModuleNotFoundError: "),
        ("raise SystemExit(3)", "plugin bad: raised while it was loaded: SystemExit: 3"),
        (
            "@hookimpl\ndef rvplat_devices():\n    return 1 / 0\n",
            "plugin bad: rvplat_devices raised: ZeroDivisionError: division by zero",
        ),
        (
            "@hookimpl\ndef rvplat_devices():\n    return [3]\n",
            "plugin bad: rvplat_devices gave 3, expected a Device class with a model",
        ),
        (
            "@hookimpl\ndef rvplat_loaders():\n    return [3]\n",
            "plugin bad: rvplat_loaders gave 3, expected something with a name",
        ),
        (
            "@hookimpl\ndef rvplat_device():\n    return []\n",
            'plugin bad: there is no hook rvplat_device; did you mean "rvplat_devices"?',
        ),
        (
            "def rvplat_devices():\n    return []\n",
            "plugin bad: rvplat_devices is not marked with @hookimpl of rvplat.hookspecs",
        ),
        (
            'class Bad(Device):\n    size = 4\n    def read_x(self): "?"\n',
            "plugin bad: raised while it was loaded: DeviceError: Bad.read_x: no register has this",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, body: str, message: str) -> None:
    assert refused(plugin(tmp_path, "bad", body)).startswith(message)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.py"
    assert refused(path) == (
        f"plugin none: {path}: no such plugin, expected a .py file or a folder with __init__.py"
    )


def test_a_text_file_is_not_a_plugin(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    assert refused(path) == f"plugin notes: {path} is not Python, expected a .py file"


def test_an_installed_plugin_that_raises_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> None:
        raise RuntimeError("broken on purpose")

    entry = SimpleNamespace(name="stranger", value="stranger.plugin", load=load)
    monkeypatch.setattr("rvplat.pluginmanager.entry_points", lambda: [entry])
    with pytest.raises(PluginError) as caught:
        Plugins().load_entry_points()
    assert caught.value.plugin == "stranger"
    assert "broken on purpose" in caught.value.traceback


def test_the_example_device_is_loaded_as_a_strangers() -> None:
    kind = load_plugins([EXAMPLES / "egg_timer.py"]).devices["egg-timer"]
    clock, line = VirtualClock(10_000), Line("irq")
    settings = kind.settings_type(rate_hz=100)
    timer = kind(settings, Wiring(clock=clock, lines={"irq": line}))
    timer.write(0xC, 4, 1)
    timer.write(0x0, 4, 5)
    clock.advance(250)
    assert (timer.read(0x4, 4), line.level) == (3, False)
    clock.advance(250)
    assert (timer.read(0x4, 4), timer.read(0x8, 4), line.level) == (0, 1, True)
    timer.write(0x8, 4, 1)
    assert not line.level
