"""Device trees as DTB and DTS, and parsed again. dtc is the reference."""

from __future__ import annotations

import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvplat.machine.loading.fdt import (
    FdtError,
    Item,
    Node,
    Phandle,
    Phandles,
    cells64,
    encode,
    to_dtb,
)
from rvplat.machine.loading.fdt_read import from_dtb
from rvplat.machine.loading.fdt_text import to_dts
from tests.dtc import environment


def dtc(data: bytes, source: str, target: str) -> bytes:
    """Convert with dtc from one format to another; any message of dtc is an error."""
    command = ["dtc", "-q", "-I", source, "-O", target]
    done = subprocess.run(
        command, input=data, capture_output=True, check=True, env=environment()
    )  # fmt: skip
    return done.stdout


def sample() -> Node:
    root = Node("")
    root.set("#address-cells", 2)
    root.set("#size-cells", 2)
    root.set("compatible", "one,two", "three")
    phandles = Phandles()
    intc = root.child("interrupt-controller@1000", "intc")
    intc.set("reg", *cells64(0x1000, 0x1_0000_0000))
    intc.set("interrupt-controller")
    user = root.child("user")
    user.set("interrupt-parent", phandles.of(intc))
    user.set("mixed", 1, "text", b"\x01\x02\x03\x04")
    user.set("bytes", b"\x01\x02\x03")
    user.child("below").set("quote", 'a "b" \\')
    return root


def test_values_as_the_specification_encodes_them() -> None:
    assert encode((1, 0xFFFF_FFFF)) == b"\0\0\0\1\xff\xff\xff\xff"
    assert encode(("ab", "")) == b"ab\0\0"
    assert encode((b"\1\2", "x")) == b"\1\2x\0"
    assert encode(()) == b""
    assert cells64(0x1_0000_0002, 3) == [1, 2, 0, 3]


def test_the_header_and_its_blocks() -> None:
    data = to_dtb(sample(), boot_cpu=3)
    magic, total, structure, strings, reservations, version, compatible, cpu, *sizes = (
        struct.unpack_from(">10I", data)
    )
    assert (magic, version, compatible, cpu) == (0xD00DFEED, 17, 16, 3)
    assert total == len(data)
    assert total % 4 == 0
    assert (reservations, structure) == (40, 56)
    assert data[40:56] == bytes(16)
    assert strings == structure + sizes[1]
    assert strings + sizes[0] <= total
    assert data[structure : structure + 8] == struct.pack(">II", 1, 0)
    assert data[strings - 4 : strings] == struct.pack(">I", 9)
    assert data[strings : strings + sizes[0]].count(b"compatible\0") == 1


def test_a_tree_is_read_back() -> None:
    tree = from_dtb(to_dtb(sample()))
    assert [path for path, _ in tree.walk()] == [
        "/", "/interrupt-controller@1000", "/user", "/user/below",
    ]  # fmt: skip
    user = tree.find("/user")
    assert user is not None
    assert user.properties["mixed"] == (b"\0\0\0\1text\0\1\2\3\4",)
    intc = tree.find("/interrupt-controller@1000")
    assert intc is not None
    assert intc.properties["interrupt-controller"] == ()
    assert intc.properties["phandle"] == (b"\0\0\0\1",)
    assert to_dtb(tree) == to_dtb(sample())


def test_text() -> None:
    assert to_dts(sample()) == (
        "/dts-v1/;\n\n"
        "/ {\n"
        "\t#address-cells = <0x2>;\n"
        "\t#size-cells = <0x2>;\n"
        '\tcompatible = "one,two", "three";\n'
        "\n"
        "\tintc: interrupt-controller@1000 {\n"
        "\t\treg = <0x0 0x1000 0x1 0x0>;\n"
        "\t\tinterrupt-controller;\n"
        "\t};\n"
        "\n"
        "\tuser {\n"
        "\t\tinterrupt-parent = <&intc>;\n"
        '\t\tmixed = <0x1>, "text", <0x1020304>;\n'
        "\t\tbytes = [01 02 03];\n"
        "\n"
        "\t\tbelow {\n"
        '\t\t\tquote = "a \\"b\\" \\\\";\n'
        "\t\t};\n"
        "\t};\n"
        "};\n"
    )


def test_dtc_reads_the_bytes_and_the_text() -> None:
    tree = sample()
    assert dtc(to_dtb(tree), "dtb", "dtb")
    assert to_dtb(from_dtb(dtc(to_dts(tree).encode(), "dts", "dtb"))) == to_dtb(tree)


NAMES = st.text("abcdefgh,#-", min_size=1, max_size=8)
ITEMS: st.SearchStrategy[Item] = st.one_of(
    st.integers(0, 0xFFFF_FFFF), st.text("abc 0", max_size=5), st.binary(max_size=7)
)
NODES = st.recursive(
    st.builds(Node, NAMES, st.dictionaries(NAMES, st.lists(ITEMS, max_size=3).map(tuple))),
    lambda inner: st.builds(
        Node,
        NAMES,
        st.dictionaries(NAMES, st.lists(ITEMS, max_size=3).map(tuple)),
        st.lists(inner, max_size=3, unique_by=lambda node: node.name),
    ),
    max_leaves=6,
)


@given(NODES)
def test_every_tree_is_read_back(node: Node) -> None:
    data = to_dtb(node)
    back = from_dtb(data)
    assert [path for path, _ in back.walk()] == [path for path, _ in node.walk()]
    for (_, one), (_, two) in zip(node.walk(), back.walk(), strict=True):
        assert [*one.properties] == [*two.properties]
        for name, values in one.properties.items():
            assert encode(two.properties[name]) == encode(values)
    assert to_dtb(back) == data


@given(st.binary(max_size=64), st.integers(0, 300), st.integers(0, 255))
def test_damaged_bytes_are_refused_or_read(tail: bytes, at: int, value: int) -> None:
    data = bytearray(to_dtb(sample()))
    data[at % len(data)] = value
    for damaged in (bytes(data), bytes(data[:at]), bytes(data[:at]) + tail):
        try:
            from_dtb(damaged)
        except FdtError as error:
            assert str(error)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a device tree: it does not begin with 0xd00dfeed"),
        (b"\x7fELF" + bytes(60), "not a device tree: it does not begin with 0xd00dfeed"),
        (to_dtb(sample())[:-8], "truncated: the header says 444 bytes, there are 436"),
    ],
)
def test_bytes_that_are_none(data: bytes, message: str) -> None:
    with pytest.raises(FdtError) as error:
        from_dtb(data)
    assert str(error.value) == message


def test_what_cannot_be_written() -> None:
    root = Node("")
    root.child("a")
    with pytest.raises(FdtError, match=r"^node '/' already has a child 'a'$"):
        root.child("a")
    root.set("x", 1 << 32)
    with pytest.raises(FdtError, match=r"^cell 0x100000000 does not fit 32 bits$"):
        to_dtb(root)


def test_a_phandle_is_given_once() -> None:
    phandles = Phandles()
    one, two = Node("one", label="first"), Node("two")
    assert [phandles.of(node) for node in (one, two, one)] == [1, 2, 1]
    assert isinstance(one.properties["phandle"][0], Phandle)
    assert phandles.of(one).label == "first"
