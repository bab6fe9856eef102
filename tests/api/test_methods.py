"""The API's methods on a machine with a hypervisor, over a real socket."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rvplat.api.registry import METHODS
from rvplat.api.server import Api
from tests.api.client import Client, Refused, conforms

GUEST = 1  # the VMID of the guest that runs first
HERE = "guest_fibonacci"  # and work_start, which is no function


@pytest.fixture(scope="module", autouse=True)
def in_guest(api: Api, path: Path) -> None:
    """Run up to the guest's first call of a function, long after its page tables are set."""
    with Client(path) as client:
        client("events.subscribe", events=["state"])
        client("points.break", address="guest_fibonacci", world=GUEST, temporary=True)
        client("machine.run")
        assert client.stopped()["reason"] == "break"


def test_where_the_harts_are(client: Client) -> None:
    found = client("harts.list")["harts"][0]
    assert (found["mode"], found["world"]) == ("VS", GUEST)
    assert found["symbol"] == HERE
    assert found["instructions"] == sum(found["by_world"].values()) > found["by_world"]["1"] > 0
    assert found["entries"] == sum(found["exits"].values()) + 1


def test_disassembly_with_source_and_the_call_stack(client: Client) -> None:
    listing = client("code.disassemble", count=8)
    assert listing[0]["symbol"] == HERE
    assert listing[0]["file"].endswith("hypervisor/fibonacci.c")
    assert any("for (; n; n--)" in one["source"] for one in listing)
    around = client("code.disassemble", address="run_guest+0x4", before=2, count=1, world="host")
    assert [one["symbol"] for one in around] == ["run_guest", "run_guest+0x2", "run_guest+0x4"]
    calls = client("code.backtrace")
    assert (calls[0]["function"], calls[0]["world"]) == ("guest_fibonacci", GUEST)


def test_a_walk_is_as_explain_says(api: Api, client: Client) -> None:
    found = client("memory.walk", address="guest_fibonacci", access="fetch")
    pc = int(found["va"], 16)
    assert found["text"] == str(api.machine.explain(pc, "fetch"))
    assert found["fault"] is None
    assert {one["depth"] for one in found["entries"]} <= {0, 1}
    host = client("memory.walk", address="0x0", world="host", mode="M")
    assert host["fault"]["text"].startswith("load access")


def test_memory_of_two_worlds(client: Client) -> None:
    guest = client("memory.read", address="guest_fibonacci", size=4)
    walk = client("memory.walk", address="guest_fibonacci")
    physical = client("memory.read", address=walk["pa"], size=4, space="physical")
    assert guest["data"] == physical["data"]
    ranges = client("memory.maps", world=GUEST)
    assert any(one["gpa"] is not None and one["pa"] is not None for one in ranges)
    at = client("registers.read", names=["sp"])["sp"]
    client("memory.write", address=int(at, 16) - 64, data="c0ffee")
    assert client("memory.read", address=int(at, 16) - 64, size=3)["data"] == "c0ffee"


def test_registers(client: Client) -> None:
    whole = client("registers.all")
    assert whole["x"]["sp"] == client("registers.read", names=["x2"])["x2"]
    assert whole["csrs"]["hgatp"] != "0x0"
    assert whole["fields"]["hgatp"]["VMID"] == "0x1"
    before = whole["x"]["t6"]
    assert client("registers.write", name="t6", value="0xffff_ffff_ffff_ffff") == {
        "t6": "0xffffffffffffffff"
    }
    client("registers.write", name="t6", value=before)


def test_back_in_time_and_forward(client: Client) -> None:
    here = client("history.state")["here"]
    pc = client("registers.read")["pc"]
    assert client("history.step", count=5)["reason"] == "step"
    assert client("history.state")["here"] == here - 5
    assert client("registers.read")["pc"] != pc
    client("machine.step", count=5)
    assert client("registers.read")["pc"] == pc
    point = client("points.break", address="run_guest", world="host")["number"]
    assert client("history.continue")["points"] == [point]
    assert client("harts.list")["harts"][0]["symbol"] == "run_guest"
    client("points.remove", number=point)
    client("history.go", place=here)
    assert client("registers.read")["pc"] == pc


def test_snapshots(api: Api, client: Client) -> None:
    pc = client("registers.read")["pc"]
    client("snapshots.save", name="here")
    client("snapshots.save", name="here.snap")
    client("snapshots.save", name=str(api.folder / "here.snap"))  # it may replace a snapshot
    client("machine.step", count=3)
    for name in ("here", "here.snap"):
        client("machine.step", count=3)
        assert client("snapshots.load", name=name)["reason"] == "snapshot"
        assert client("registers.read")["pc"] == pc
    assert [one["name"] for one in client("snapshots.list")] == ["here"]


def test_clients_get_at_no_other_files(api: Api, client: Client, tmp_path: Path) -> None:
    (api.folder / "mine.txt").write_text("precious")
    (api.folder / "link.snap").symlink_to(tmp_path / "there.snap")
    with pytest.raises(Refused, match="the file exists, and is no snapshot"):
        client("snapshots.save", name="mine.txt")
    for name in ("../there.snap", str(tmp_path / "there.snap"), "link.snap", "."):
        for method in ("snapshots.save", "snapshots.load"):
            with pytest.raises(Refused, match=f"expected a file in {api.folder}"):
                client(method, name=name)
    assert (api.folder / "mine.txt").read_text() == "precious"
    assert list(tmp_path.iterdir()) == []


def test_the_way_of_an_interrupt(client: Client) -> None:
    """Of the UART's, which has room for a byte, through the PLIC to the hart."""

    def source() -> Any:
        found = client("interrupts.list")["sources"]
        return next(one for one in found if one["device"] == "uart0")

    number, before = source()["input"], source()
    assert not before["level"]
    supervisor = [one["interrupt"] for one in before["outputs"]].index("SEI")
    client("snapshots.save", name="quiet")
    client("devices.write", name="plic", offset=4 * number, value=3)
    client("devices.write", name="plic", offset=0x2000 + 0x80 * supervisor, value=1 << number)
    client("devices.write", name="uart0", offset=1, value=2, size=1)
    after = source()
    assert (after["level"], after["pending"], after["priority"]) == (True, True, 3)
    assert after["outputs"][supervisor] == {
        "hart": 0, "bit": 9, "interrupt": "SEI", "enabled": True, "passes": True, "threshold": 0,
        "level": True,
    }  # fmt: skip
    local = client("interrupts.list")["harts"][0]["interrupts"]
    assert next(one for one in local if one["name"] == "SEI")["pending"]
    client("snapshots.load", name="quiet")


def test_devices_are_shown_without_a_load(client: Client) -> None:
    names = [one["name"] for one in client("devices.list")]
    assert {"uart0", "plic", "clint"} <= set(names)
    shown = client("devices.registers", name="uart0")
    registers = {one["name"]: one for one in shown["registers"]}
    assert registers["RBR"]["values"] is None  # a load takes a character
    assert registers["LCR"]["values"] is not None
    fields = [one["name"] for one in registers["LCR"]["fields"]]
    assert "DLAB" in fields
    assert client("devices.read", name="uart0", offset=5, size=1) == "0x60"
    with pytest.raises(Refused, match="there is no device 'uart9'; did you mean"):
        client("devices.registers", name="uart9")


#: Methods that return nothing, or that would end or change what other tests need.
NOT_CALLED = {"machine.quit", "machine.reset", "machine.run", "machine.pause", "history.continue"}
ARGUMENTS: dict[str, dict[str, Any]] = {
    "memory.read": {"address": "guest_fibonacci"}, "memory.walk": {"address": "guest_fibonacci"},
    "memory.write": {"address": 0x8000_0000, "data": "", "space": "physical"},
    "registers.write": {"name": "zero", "value": 0}, "consoles.send": {"data": ""},
    "devices.registers": {"name": "plic"}, "devices.read": {"name": "plic", "offset": 4},
    "devices.write": {"name": "plic", "offset": 4, "value": 0}, "events.subscribe": {"events": []},
    "events.unsubscribe": {"events": []}, "points.break": {"address": HERE, "world": 1},
    "points.watch": {"address": 0x8000_0000}, "points.remove": {"number": 1},
    "snapshots.save": {"name": "schema"}, "snapshots.load": {"name": "schema"},
}  # fmt: skip


def test_results_are_as_the_schema_says(client: Client) -> None:
    schema = client("api.schema")
    assert set(schema) == set(METHODS)
    client("points.break", address=0x8000_0000)
    calls = [name for name in METHODS if name not in NOT_CALLED]
    calls.sort(key=lambda name: ("load" in name, "remove" in name, name == "history.go"))
    for name in calls:
        arguments = dict(ARGUMENTS.get(name, {}))
        if name == "points.remove":
            arguments["number"] = client("points.list")[0]["number"]
        if name == "history.go":
            arguments["place"] = client("history.state")["here"]
        result = client(name, **arguments)
        assert conforms(schema[name]["result"], result), (name, result)
        assert schema[name]["description"], name
    for one in client("points.list"):
        client("points.remove", number=one["number"])
