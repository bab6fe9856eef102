"""Wrong calls of the Python interface raise clear errors and change nothing."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rvplat
from rvplat import Machine
from rvplat.errors import BoardError, LoaderError
from rvplat.machine.running.hart import Hart
from tests.machine.programs import elf
from tests.machine.small_guests import HELLO, LOOP, POWER_OFF, WAIT, guest
from tests.machine.test_machine import START, open_at_start


@pytest.fixture(scope="module")
def machine() -> Iterator[Any]:
    with open_at_start(LOOP, **{"harts.count": 2}) as found:
        yield found


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda m: m.run(timeout_s="x"), TypeError,
         "timeout_s='x': expected seconds, or None for no limit"),
        (lambda m: m.run(timeout_s=-1), ValueError,
         "timeout_s=-1: expected 0 to 1000000000 seconds"),
        (lambda m: m.run(timeout_s=float("nan")), ValueError,
         "timeout_s=nan: expected 0 to 1000000000 seconds"),
        (lambda m: m.start(timeout_s=True), TypeError,
         "timeout_s=True: expected seconds, or None for no limit"),
        (lambda m: m.start("5"), TypeError,
         "timeout_s='5': expected seconds, or None for no limit"),
        (lambda m: m.run(max_instructions=-1), ValueError,
         "max_instructions=-1: expected 1 to 0x4000000000000000"),
        (lambda m: m.run(max_instructions=2.5), TypeError,
         "max_instructions=2.5: expected an integer"),
        (lambda m: m.run(restart="no"), TypeError, "restart='no': expected True or False"),
        (lambda m: m.run(ends_idle=0), TypeError, "ends_idle=0: expected True or False"),
        (lambda m: m.run(profile=3), TypeError,
         "profile=3: expected the path of a file, a string or Path"),
        (lambda m: m.run(timeline=3), TypeError,
         "timeline=3: expected the path of a file, a string or Path"),
        (lambda m: m.run(trace=3), TypeError,
         "trace=3: expected the path of a file, a string or Path"),
        (lambda m: m.step(-1), ValueError, "count=-1: expected 1 to 0x4000000000000000"),
        (lambda m: m.step(0), ValueError, "count=0: expected 1 to 0x4000000000000000"),
        (lambda m: m.step("3"), TypeError, "count='3': expected an integer"),
        (lambda m: m.step(hart=7), IndexError, "hart=7: the machine has harts 0 to 1"),
        (lambda m: m.step(hart=-1), IndexError, "hart=-1: the machine has harts 0 to 1"),
        (lambda m: m.step(hart="0"), TypeError, "hart='0': expected an integer"),
        (lambda m: m.explain(0, hart=7), IndexError, "hart=7: the machine has harts 0 to 1"),
        (lambda m: m.explain("main"), TypeError, "va='main': expected an integer"),
        (lambda m: m.explain(1 << 64), ValueError,
         "va=0x10000000000000000: expected -0x8000000000000000 to 0xffffffffffffffff"),
        (lambda m: m.explain(0, "read"), ValueError,
         "access='read': expected one of load, store, fetch"),
        (lambda m: m.explain(0, mode="X"), ValueError,
         "mode='X': expected one of M, HS, U, VS, VU"),
        (lambda m: m.explain(0, mode=3), TypeError, "mode=3: expected one of M, HS, U, VS, VU"),
        (lambda m: m.explain(0, world="guest"), ValueError,
         "world='guest': expected one of now, host"),
        (lambda m: m.explain(0, world=-1), ValueError, "world=-1: expected 0 to 16383"),
        (lambda m: m.memory.read(START, -1), ValueError, "size=-1: expected 0 or more bytes"),
        (lambda m: m.memory.view(START, -1), ValueError, "size=-1: expected 0 or more bytes"),
        (lambda m: m.memory.write_int(START, 1, 256), ValueError,
         "value=0x100: expected a number of 1 bytes"),
        (lambda m: m.harts[0].csr(0x5FF), LookupError, "hart 0 has no CSR 0x5ff"),
        (lambda m: m.harts[0].csr(3.0), TypeError,
         "no CSR 3.0: expected its name or number, or NAME.FIELD"),
        (lambda m: m.harts[0].set_csr(0xF14, 1), ValueError, "mhartid is read-only"),
        (lambda m: m.harts[0].set_csr("mscratch", "1"), TypeError,
         "mscratch='1': expected an integer"),
        (lambda m: m.harts[0].set_csr("mscratch", 1 << 64), ValueError,
         "mscratch=0x10000000000000000: expected -0x8000000000000000 to 0xffffffffffffffff"),
        (lambda m: m.harts[0].set_csr("mstatus.MPP", 4), ValueError,
         "mstatus.MPP=4: expected 0 to 3"),
        (lambda m: m.harts[0].x.__setitem__(1, "x"), TypeError, "value='x': expected an integer"),
        (lambda m: m.harts[0].x.__setitem__(1, 1 << 64), ValueError,
         "value=0x10000000000000000: expected -0x8000000000000000 to 0xffffffffffffffff"),
        (lambda m: m.harts[0].x[1.0], TypeError,
         "no register 1.0: expected its number or ABI name"),
        (lambda m: setattr(m.harts[0], "pc", None), TypeError, "pc=None: expected an integer"),
        (lambda m: m.harts[0].translate("0"), TypeError, "va='0': expected an integer"),
        (lambda m: m.harts[0].read(START, -4), ValueError,
         "size=-4: expected 0 to 0xffffffffffffffff"),
        (lambda m: m.console.wait_for(b"x", timeout_s="1"), TypeError,
         "timeout_s='1': expected seconds, or None for no limit"),
        (lambda m: m.console.wait_for(b""), ValueError, "text: expected something to wait for"),
        (lambda m: m.console.wait_for(7), TypeError, "text=7: expected a string or bytes"),
        (lambda m: m.console.feed("text"), TypeError, "data='text': expected bytes"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused(
    machine: Machine, call: Callable[..., Any], kind: type[Exception], message: str
) -> None:
    before = [(hart.pc, hart.instret) for hart in machine.harts]
    with pytest.raises(kind) as caught:
        call(machine)
    assert str(caught.value) == message
    assert not machine.running
    assert [(hart.pc, hart.instret) for hart in machine.harts] == before


def test_a_machine_that_refused_to_run_still_runs(machine: Machine) -> None:
    with pytest.raises(TypeError):
        machine.run(timeout_s="x")  # type: ignore[arg-type]
    assert machine.run(max_instructions=1000).reason == "limit"


PATH = "expected the path of a file, a string or Path"


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"append": 3}, TypeError, "append=3: expected a string"),
        ({"append": "a\0b"}, ValueError, "append='a\\x00b': expected a string without null bytes"),
        ({"board": 3}, TypeError, f"board=3: {PATH}"),
        ({"program": b"demo"}, TypeError, f"program=b'demo': {PATH}"),
        ({"kernel": 1}, TypeError, f"kernel=1: {PATH}"),
        ({"disk": 5}, TypeError, "disk=5: expected the path of a file, or several"),
        ({"disk": [5]}, TypeError, f"disk=5: {PATH}"),
        ({"plugin_paths": [None]}, TypeError, f"plugin_paths=None: {PATH}"),
        ({"settings": ["a"]}, TypeError, "settings=['a']: expected keys and values, a dict"),
        ({"settings": {3: 4}}, TypeError, "settings=3: expected a string"),
        ({"load": "x"}, TypeError, "load='x': expected addresses and files, a dict"),
        ({"load": {"x": "y"}}, TypeError, "load='x': expected an integer"),
        ({"load": {-1: "y"}}, ValueError, "load=-1: expected 0 to 0xffffffffffffff"),
        ({"harts": 9}, BoardError,
         "harts=9: harts.count: found 9, expected an integer from 1 to 8"),
        ({"harts": "x"}, BoardError,
         "harts='x': harts.count: found \"x\", expected an integer from 1 to 8"),
        ({"memory": "lots"}, BoardError,
         "memory='lots': memory.ram.size: found \"lots\", expected a size such as \"512M\" from "
         "4096 to 0x100000000000"),
    ],
)  # fmt: skip
def test_open_refuses_what_makes_no_sense(
    arguments: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        Machine.open(**arguments)
    assert str(caught.value) == message


def test_open_takes_what_the_command_takes(tmp_path: Path) -> None:
    image, blob = tmp_path / "disk.img", tmp_path / "blob"
    image.write_bytes(bytes(1024))
    blob.write_bytes(b"loaded")
    load: dict[int, str | Path] = {0x8010_0000: blob, 0x8020_0000: str(blob)}
    with Machine.open(program="demo", disk=[image], harts=2, memory=64 << 20, load=load) as machine:
        assert (len(machine.harts), machine.memory.regions[1].size) == (2, 64 << 20)
        assert type(machine.devices["virtio0"]).model == "virtio-blk"
        assert machine.memory.read(0x8010_0000, 6) == b"loaded"
        assert machine.memory.read(0x8020_0000, 6) == b"loaded"
        machine.memory.write(0x8010_0000, b"other")
        machine.reset()
        assert machine.memory.read(0x8010_0000, 6) == b"loaded"
    with Machine.open(program="hypervisor", disk=image, memory="128M") as machine:
        assert "run_guest" in machine.symbols


def test_a_board_may_be_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lamp.toml", "board"):
        Path(name).write_text('extends = "virt"\n[harts]\ncount = 3\n')
        with Machine.open(Path(name)) as machine:
            assert len(machine.harts) == 3
    with pytest.raises(BoardError, match=r"^\./virt: found no such file, expected the path of a"):
        Machine.open(Path("virt"))


def test_what_is_loaded_lies_over_nothing(tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_bytes(bytes(16))
    with pytest.raises(LoaderError) as caught:
        Machine.open(program=guest(HELLO), load={START: blob})
    assert str(caught.value).startswith(f"{blob}: 0x80000000 to 0x8000000f overlaps program at 0x8")
    with pytest.raises(LoaderError) as caught:
        Machine.open(program=guest(HELLO), load={0x4000_0000: blob})
    assert str(caught.value).startswith(
        f"{blob}: 0x10 bytes for 0x40000000 are outside the board's"
    )


def test_csrs_by_number(machine: Machine) -> None:
    hart = machine.harts[1]
    hart.set_csr(0x340, 7)
    assert (hart.csr(0x340), hart.csr("mscratch")) == (7, 7)
    assert hart.csr(0xF14) == 1


def test_a_closed_machine_does_not_run() -> None:
    machine = open_at_start(LOOP)
    machine.step(3)
    machine.close()
    machine.close()
    assert machine.closed
    for call in (machine.run, machine.start, machine.step, machine.reset, machine.__enter__):
        with pytest.raises(RuntimeError, match="^the machine is closed: open another$"):
            call()
    assert (machine.harts[0].instret, machine.memory.read(START, 0)) == (3, b"")


def test_a_long_step_heeds_signals(machine: Machine) -> None:
    """Ctrl-C ends the step between two instructions, long before its end."""
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            machine.step(1 << 40)
    finally:
        signal.signal(signal.SIGINT, old)
    before = machine.harts[0].instret
    assert machine.step(10).reason == "step"
    assert machine.harts[0].instret == before + 10


def test_a_wait_in_vain_says_where_the_harts_are() -> None:
    with Machine.open(program=guest(HELLO.replace("\\r\\n", "\\r\\n# ")), harts=2) as machine:
        machine.start()
        machine.wait(timeout_s=60)
        machine.console.wait_for("hello", timeout_s=1)
        with pytest.raises(TimeoutError) as caught:
            machine.console.wait_for("login: ", timeout_s=1)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(
        "no b'login: ' from the guest: the machine stopped; it wrote b'\\r\\n#"
    )
    assert [line.partition(":")[0] for line in lines[1:]] == ["hart 0", "hart 1"]


@pytest.mark.slow
@pytest.mark.parametrize("clock", ["host", "virtual"])
def test_it_says_so_while_the_harts_wait_and_they_go_on(clock: str) -> None:
    with Machine.open(program=guest(WAIT), settings={"clock": clock}) as machine:
        machine.start()
        for _ in range(3):
            with pytest.raises(TimeoutError) as caught:
                machine.console.wait_for("x", timeout_s=0.3)
            lines = str(caught.value).splitlines()
            assert lines[0].endswith("0.3 s have passed; it wrote nothing")
            assert lines[1].startswith("hart 0: M mode, pc 0x8000000")
            assert lines[1].endswith("; it waits for an interrupt")
        assert machine.running
        assert machine.pause().reason == "pause"


STUCK = """
import threading
from rvplat.bus import Device
from rvplat.hookspecs import hookimpl

class Stuck(Device):
    model = "stuck"
    size = 0x100

    def setup(self):
        self.entered, self.freed = threading.Event(), threading.Event()

    def read(self, offset, size):
        self.entered.set()
        self.freed.wait()
        return 0

@hookimpl
def rvplat_devices():
    return [Stuck]
"""


@pytest.mark.slow
def test_a_hart_that_does_not_stop_holds_up_no_complaint(tmp_path: Path) -> None:
    plugin = tmp_path / "stuck.py"
    plugin.write_text(STUCK)
    program = guest("  li t0, 0x20000000\n  lw t1, 0(t0)\n" + POWER_OFF)
    setting = {"devices.stuck": {"model": "stuck", "base": 0x2000_0000}}
    with Machine.open(program=program, plugin_paths=[plugin], settings=setting) as machine:
        machine.start()
        stuck: Any = machine.devices["stuck"]
        assert stuck.entered.wait(60)
        with pytest.raises(TimeoutError) as caught:
            machine.console.wait_for("x", timeout_s=0.01)
        assert str(caught.value).splitlines()[1] == (
            "the harts' places are unknown: they don't stop, perhaps in a plugin's code"
        )
        stuck.freed.set()
        assert machine.wait(timeout_s=60).reason == "off"


def test_a_look_does_not_change_what_a_run_does() -> None:
    """The number of instructions left is the same."""
    with open_at_start(LOOP, **{"harts.count": 2}) as machine:
        machine.start(max_instructions=300_000_000)
        looks = 0
        while machine.running:
            with pytest.raises(TimeoutError):
                machine.console.wait_for("x", timeout_s=0.05)
            looks += 1
        stop = machine.wait(timeout_s=60)
        assert stop.reason == "limit"
        assert machine.harts[stop.hart].instret == 300_000_000
        assert looks > 1


def shown_by_help(thing: Any) -> Any:
    import pydoc

    return pydoc.plain(pydoc.render_doc(thing))


def test_help_shows_what_is_public() -> None:
    text = shown_by_help(Machine)
    for name in Machine.public:
        assert f" {name}" in text, name
        assert (getattr(Machine, name).__doc__ or "").strip(), f"{name} has no docstring"
    for name in ("request_stop", "power_on", "began", "take_resets", "_build", "assembly"):
        assert name not in text
    text = shown_by_help(Hart)
    for name in Hart.public:
        assert f" {name}" in text, name
    for name in ("set_line", "after_device", "attention", "idle_since"):
        assert name not in text
    text = shown_by_help(rvplat)
    assert "__getattr__" not in text
    assert "class Machine" in text
    assert set(dir(rvplat)) >= set(rvplat.__all__)


def test_completion_shows_the_same(machine: Machine) -> None:
    assert set(dir(machine)) == set(Machine.public)
    assert set(dir(machine.harts[0])) == set(Hart.public)
    for name in Machine.public:
        getattr(machine, name)
    for name in Hart.public:
        getattr(machine.harts[0], name)


def test_an_elf_file_that_is_loaded_says_where_it_goes(tmp_path: Path) -> None:
    from rvplat.machine.loading.load_option import LoadOption

    path = tmp_path / "second.elf"
    path.write_bytes(elf([(0x8040_0000, b"code", 4)], 0x8040_0000))
    program = LoadOption(path).read()
    assert [(one.address, bytes(one.data)) for one in program.segments] == [(0x8040_0000, b"code")]
    path.write_bytes(b"no ELF file")
    with pytest.raises(
        LoaderError, match="found no ELF file that says where it goes, expected one"
    ):
        LoadOption(path).read()
