"""Debian's kernel finds every extension that it knows and the board has: in /proc/cpuinfo, by
hwprobe, and for guests of KVM."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rvplat import Machine
from rvplat.guests.debian import DebianGuest
from tests.guests.kernel_extensions import CPUINFO, HWPROBE, KVM, KVM_KEEPS
from tests.guests.linux_programs import linux_program, output_of

PROFILE = "rva23s64"
#: The profile's optional parts that Linux knows, and the rest of the kernel's table.
MOST = (
    f"{PROFILE}_zacas_zabha_zfh_zvfh_zbc_zvbc_zvkng_zvksg_zvknha_zbkb_zbkc_zbkx_zk_zks_zkr"
    "_svadu_svvptc_sscofpmf"
)
#: Q; Zcf, which RV32 has; total store ordering; the advanced interrupt architecture.
ABSENT = {"q", "zcf", "ztso", "smaia", "ssaia"}
IMA_EXT_0, ZICBOZ_BLOCK_SIZE, TIME_CSR_FREQ = 4, 6, 8  # keys of hwprobe
HZ = 10_000_000


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A program that prints hwprobe's values and KVM's ISA_EXT registers."""
    return linux_program(tmp_path_factory.mktemp("probe"), ["rva23/probe.c"])


def _board_has(isa: str) -> set[str]:
    """The extensions of a hart, in lower case."""
    with Machine.open("virt", settings={"harts.isa": isa}) as machine:
        return {one.name.lower() for one in machine.extensions}


def _in_isa_line(line: str) -> set[str]:
    """The extensions in a line of /proc/cpuinfo: "isa : rv64imafdc_zicbom_..."."""
    letters, *names = line.partition(": rv64")[2].split("_")
    return {*letters, *names}


@pytest.mark.parametrize("isa", [PROFILE, MOST], ids=["profile", "most"])
def test_it_finds_all(debian_guest: DebianGuest, probe: bytes, tmp_path: Path, isa: str) -> None:
    commands = ["cat /proc/cpuinfo", "/probe"]
    files = {"probe": probe}
    text = output_of(debian_guest, tmp_path / "initrd", files, commands, isa, modules="kvm")
    has = _board_has(isa)
    lines = re.findall(r"^(?:hart )?isa\t.*$", text, re.MULTILINE)
    assert len(lines) == 4, "two lines for each hart"
    assert [_in_isa_line(line) for line in lines] == [set(CPUINFO) & has] * 4
    probed = {int(k, 16): int(v, 16) for k, v in re.findall(r"^hwprobe (\w+) (\w+)$", text, re.M)}
    bits = {name for bit, name in enumerate(HWPROBE) if probed[IMA_EXT_0] >> bit & 1}
    assert bits == set(HWPROBE) & {*has, "fd"}
    assert probed[IMA_EXT_0] >> len(HWPROBE) == 0
    assert (probed[ZICBOZ_BLOCK_SIZE], probed[TIME_CSR_FREQ]) == (64, HZ)
    for_guests = {int(n): int(v) for n, v in re.findall(r"^kvm (\d+) (-?\d+)$", text, re.M)}
    given = {name for number, name in enumerate(KVM) if for_guests[number] == 1}
    assert given == (set(KVM) & has) - KVM_KEEPS


def test_most_is_all_but_these() -> None:
    assert {*CPUINFO, *KVM} - _board_has(MOST) == ABSENT
    assert set(HWPROBE) - {"fd"} <= set(CPUINFO)
