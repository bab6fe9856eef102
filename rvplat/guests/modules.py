"""Finds kernel modules in a kernel package and what they depend on.

A package has no modules.dep (depmod makes it when the package is installed), but the .modinfo
section of every module lists the module's dependencies as `depends=a,b`.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from rvplat.guests.errors import GuestError

_DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")
_SIGNATURE_MARK = b"~Module signature appended~\n"
_SIGNATURE_TRAILER_BYTES = 12


def module_name(path: str) -> str:
    """`kernel/fs/ext4/ext4.ko.xz` -> `ext4`. Hyphens become underscores, as in the kernel."""
    return PurePosixPath(path).name.split(".ko")[0].replace("-", "_")


def unpack_module(path: str, data: bytes) -> bytes:
    """The ELF file of a module, unpacked and without its signature.

    Checking a signature takes some 280 million instructions per module. The kernel loads a module
    without a signature and logs "module verification failed", unless it must enforce signatures.
    """
    if path.endswith(".xz"):
        try:
            data = lzma.decompress(data)
        except lzma.LZMAError as error:
            raise GuestError(f"{path}: the kernel module is damaged: {error}") from error
    elif not path.endswith(".ko"):
        raise GuestError(f"{path}: a kernel module in an unknown compression, expected xz")
    return _without_signature(data)


def _without_signature(data: bytes) -> bytes:
    """Remove what scripts/sign-file appended: signature, struct module_signature and mark."""
    if not data.endswith(_SIGNATURE_MARK):
        return data
    end = len(data) - len(_SIGNATURE_MARK)
    size = int.from_bytes(data[end - 4 : end], "big")
    return data[: end - _SIGNATURE_TRAILER_BYTES - size]


def dependencies(module: bytes) -> list[str]:
    """The modules that must be loaded before this one, by name."""
    found = _DEPENDS.search(module)
    listed = found.group(1).decode() if found else ""
    return [name.replace("-", "_") for name in listed.split(",") if name]


def load_order(names: Iterable[str], modules: Mapping[str, bytes]) -> list[str]:
    """`names` and their dependencies, in an order in which they can be loaded.

    A name that is not in `modules` is built into the kernel, and is left out.
    """
    order: list[str] = []

    def visit(name: str) -> None:
        if name in order or name not in modules:
            return
        for needed in dependencies(modules[name]):
            visit(needed)
        order.append(name)

    for name in names:
        visit(name)
    return order
