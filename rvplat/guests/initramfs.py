"""Builds the initramfs of the Debian guest: busybox, a few kernel modules and our own /init."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from importlib.resources import files

from rvplat.guests.cpio import CpioArchive
from rvplat.guests.modules import dependencies, load_order

MODULES = ("virtio_mmio", "virtio_blk", "virtio_rng", "ext4", "kvm")
"""The modules that /init can load by name."""

# ext4 and jbd2 request crc32c from the kernel's crypto API by an alias, so `depends` doesn't list
# it
_NEEDED_FIRST = {"ext4": ("crc32c_generic",)}

_DIRECTORIES = ("bin", "dev", "lib", "lib/modules", "mnt", "proc", "root", "sys", "tmp")


def with_dependencies(
    available: Container[str], unpack: Callable[[str], bytes]
) -> dict[str, bytes]:
    """MODULES and their dependencies, unpacked, without those that are built into the kernel."""
    modules: dict[str, bytes] = {}
    waiting = [*MODULES, *(name for names in _NEEDED_FIRST.values() for name in names)]
    while waiting:
        name = waiting.pop()
        if name in available and name not in modules:
            modules[name] = unpack(name)
            waiting += dependencies(modules[name])
    return modules


def build_initramfs(
    busybox: bytes, modules: Mapping[str, bytes], further: Mapping[str, bytes] | None = None
) -> bytes:
    """The cpio archive. `modules` is the result of `with_dependencies`; `further` are more files by
    name, which become executable."""
    archive = CpioArchive()
    for directory in _DIRECTORIES:
        archive.directory(directory)
    archive.character_device("dev/console", 5, 1)
    archive.character_device("dev/null", 1, 3, 0o666)
    archive.file("bin/busybox", busybox, 0o755)
    archive.symlink("bin/sh", "busybox")
    archive.file("init", files(__package__).joinpath("init.sh").read_bytes(), 0o755)
    for name in MODULES if modules else ():
        order = load_order((*_NEEDED_FIRST.get(name, ()), name), modules)
        archive.file(f"lib/modules/{name}.order", "".join(f"{m}\n" for m in order).encode())
    for name in sorted(modules):
        archive.file(f"lib/modules/{name}.ko", modules[name])
    for directory in sorted({name.rpartition("/")[0] for name in further or ()} - {""}):
        archive.directory(directory)
    for name, data in (further or {}).items():
        archive.file(name, data, 0o755)
    return archive.dump()


def build_kvm_initramfs(
    busybox: bytes, modules: Mapping[str, bytes], kernel: bytes, vmm: bytes
) -> bytes:
    """An initramfs with a guest for KVM: our VMM, the same kernel, and a small initramfs."""
    guest = {"vmm": vmm, "Image": kernel, "initrd.cpio": build_initramfs(busybox, {})}
    return build_initramfs(busybox, modules, {f"kvm/{name}": guest[name] for name in guest})
