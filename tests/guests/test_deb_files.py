"""Reading .deb files, kernels and modules out of packages."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import pytest

from rvplat.guests.deb import read_package
from rvplat.guests.errors import GuestError
from rvplat.guests.kernel import plain_image
from rvplat.guests.modules import dependencies, load_order, module_name, unpack_module
from tests.guests import debian_archive

TRUNCATED = "truncated: data.tar should have 900 bytes"


def test_only_wanted_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(debian_archive.deb("Package: x\n", {"a/b": b"1", "a/c": b"22"}))
    assert read_package(path, lambda name: name == "a/c") == {"a/c": b"22"}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"PK\x03\x04", "not a Debian package (no ar archive)"),
        (debian_archive.ar({"control": b""}), "not a Debian package (no data.tar in it)"),
        (debian_archive.ar({"data.tar": bytes(900)})[:500], TRUNCATED),
    ],
)
def test_a_file_that_is_no_package_is_refused_with_its_name(
    tmp_path: Path, data: bytes, text: str
) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(data)
    with pytest.raises(GuestError) as caught:
        read_package(path, lambda name: True)
    assert str(caught.value) == f"{path}: {text}"


DAMAGED = debian_archive.tar_xz({"a": bytes(range(256)) * 99})[:-40]


@pytest.mark.parametrize(
    ("name", "data"),
    [("data.tar.zst", b"\x28\xb5\x2f\xfd" + bytes(600)), ("data.tar.xz", DAMAGED)],
)
def test_package_that_cannot_be_unpacked_is_named(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(debian_archive.ar({name: data}))
    with pytest.raises(GuestError) as caught:
        read_package(path, lambda name: True)
    assert str(caught.value) == (
        f"{path}: cannot read {name}: damaged, or not compressed by gzip, bzip2 or xz"
    )


IMAGE = debian_archive.kernel_image(b"kernel")


def _zboot(method: bytes, payload: bytes) -> bytes:
    header = struct.pack("<4s4sII8x32s", b"MZ\0\0", b"zimg", 64, len(payload), method)
    return header.ljust(64, b"\0") + payload + b"stub"


@pytest.mark.parametrize(
    "packed",
    [IMAGE, gzip.compress(IMAGE, mtime=0), _zboot(b"gzip", gzip.compress(IMAGE, mtime=0)),
     _zboot(b"xzkern", lzma.compress(IMAGE))],
    ids=["plain", "gzip", "zboot-gzip", "zboot-xz"],
)  # fmt: skip
def test_kernel_comes_out_plain(packed: bytes) -> None:
    assert plain_image(packed, "vmlinuz") == IMAGE


def test_kernel_errors_name_the_file() -> None:
    with pytest.raises(GuestError) as caught:
        plain_image(b"\x7fELF" + bytes(100), "vmlinux")
    assert str(caught.value) == "vmlinux: no RISC-V kernel image (no RSC\\x05 at 0x38)"
    with pytest.raises(GuestError) as caught:
        plain_image(_zboot(b"zstd22", b""), "vmlinuz")
    assert str(caught.value) == (
        "vmlinuz: compressed with 'zstd22'; gzip, lzma, xz, xzkern are understood"
    )


@pytest.mark.parametrize(
    "damaged",
    [gzip.compress(IMAGE, mtime=0)[:-20], b"\x1f\x8b" + bytes(60),
     _zboot(b"xz", lzma.compress(IMAGE)[:-9]), _zboot(b"gzip", bytes(50)),
     _zboot(b"xz", gzip.compress(IMAGE, mtime=0)), b"MZ\0\0zimg"],
)  # fmt: skip
def test_a_damaged_kernel_is_named(damaged: bytes) -> None:
    with pytest.raises(GuestError, match=r"^vmlinuz: the kernel is damaged: "):
        plain_image(damaged, "vmlinuz")


def test_module_loses_its_signature_and_keeps_the_rest() -> None:
    packed = lzma.compress(debian_archive.module("a,b-c"))
    module = unpack_module("kernel/fs/some-fs.ko.xz", packed)
    assert module == debian_archive.module("a,b-c", signed=False)
    assert dependencies(module) == ["a", "b_c"]
    assert module_name("kernel/fs/some-fs.ko.xz") == "some_fs"


def test_unsigned_module_stays_as_it_is() -> None:
    plain = debian_archive.module("", signed=False)
    assert unpack_module("x.ko", plain) == plain


def test_module_in_unknown_compression_is_refused() -> None:
    with pytest.raises(GuestError) as caught:
        unpack_module("fs/x.ko.zst", b"")
    assert str(caught.value) == (
        "fs/x.ko.zst: a kernel module in an unknown compression, expected xz"
    )


@pytest.mark.parametrize("damaged", [b"", b"no xz", lzma.compress(b"module" * 99)[:-9]])
def test_a_damaged_module_is_named(damaged: bytes) -> None:
    with pytest.raises(GuestError, match=r"^fs/x\.ko\.xz: the kernel module is damaged: "):
        unpack_module("fs/x.ko.xz", damaged)


def test_load_order_puts_dependencies_first_and_omits_built_in_modules() -> None:
    modules = {
        "ext4": debian_archive.module("jbd2,mbcache"),
        "jbd2": debian_archive.module("crc32c"),
        "mbcache": debian_archive.module(""),
    }
    assert load_order(["ext4", "mbcache"], modules) == ["jbd2", "mbcache", "ext4"]
