"""The symbols in a kernel's own tables."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from rvplat.guests.debian import FAST, DebianGuest
from rvplat.guests.errors import GuestError
from rvplat.guests.kallsyms import LINKED_AT, KernelSymbol, kernel_symbols, symbol_file
from rvplat.machine.loading.elf import is_elf
from tests.guests.h_machines import Software, on_rvplat

TOKENS = [bytes([code]) if code else b"init_" for code in range(256)]  # token 0 has five letters
NAMES = [b"T_start", b"t\0a", b"D\0data"] + [b"t%d" % i for i in range(600)]


def aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def tables(names: list[bytes]) -> bytes:
    """An Image with the tables of scripts/kallsyms.c between other data."""
    packed, markers = b"", []
    for number, name in enumerate(names):
        if number % 256 == 0:
            markers.append(len(packed))
        packed += bytes([len(name)]) + name
    tokens = b"".join(token + b"\0" for token in TOKENS)
    starts, at = [], 0
    for token in TOKENS:
        starts.append(at)
        at += len(token) + 1
    parts = (
        struct.pack("<I", len(names)), packed, struct.pack(f"<{len(markers)}I", *markers), tokens,
        struct.pack("<256H", *starts),
        struct.pack(f"<{len(names)}I", *range(0, 16 * len(names), 16)),
    )  # fmt: skip
    return b"\x13\0\0\0" * 5000 + b"".join(map(aligned, parts)) + b"\xff" * 100


def test_names_types_and_addresses() -> None:
    found = kernel_symbols(tables(NAMES), 0x1000)
    assert len(found) == len(NAMES)
    assert found[:4] == [
        KernelSymbol("_start", "T", 0x1000),
        KernelSymbol("init_a", "t", 0x1010),
        KernelSymbol("init_data", "D", 0x1020),
        KernelSymbol("0", "t", 0x1030),
    ]
    assert found[-1] == KernelSymbol("599", "t", 0x1000 + 16 * 602)


@pytest.mark.parametrize("count", [0, 255, 256, 257, 512])
def test_any_number_of_names(count: int) -> None:
    names = NAMES + [b"tx"] * count
    assert len(kernel_symbols(tables(names))) == len(names)


@pytest.mark.parametrize(
    "image", [b"", bytes(5000), b"0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0"]
)
def test_a_kernel_without_symbols(image: bytes) -> None:
    with pytest.raises(GuestError) as raised:
        kernel_symbols(image)
    what = "the kernel has no table of its symbols (kallsyms) in a known format"
    assert str(raised.value) == what


def test_debians_kernel_agrees(debian_guest: DebianGuest) -> None:
    """The tables hold the symbols that /proc/kallsyms shows in the running kernel."""
    script = "grep -E ' (start_kernel|schedule|linux_banner|handle_exception)$' /proc/kallsyms"
    append = f'{FAST} rvplat.run=script rvplat.script="{script}"'
    software = Software(debian_guest.fw_jump, debian_guest.kernel, debian_guest.initrd, append)
    _, output = on_rvplat(software)
    lines = re.findall(r"^(ffff\w+) (\w) (\w+)\r?$", output, re.MULTILINE)
    said = {(int(address, 16), kind, name) for address, kind, name in lines}
    found = {(s.address, s.kind, s.name) for s in kernel_symbols(debian_guest.kernel.read_bytes())}
    assert len(said) == 4
    assert said <= found


def test_an_elf_file_of_them(tmp_path: Path) -> None:
    data = symbol_file(tables(NAMES))
    assert is_elf(data)
    lief = pytest.importorskip("lief")
    (tmp_path / "Image.elf").write_bytes(data)
    elf = lief.parse(str(tmp_path / "Image.elf"))
    found = {str(s.name): int(s.value) for s in elf.symbols if s.name}
    assert found["init_data"] == LINKED_AT + 0x20
    (kernel,) = [s for s in elf.sections if s.name == ".kernel"]
    assert (kernel.virtual_address, kernel.size) == (LINKED_AT, 16 * 602)
