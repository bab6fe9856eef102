"""Finds kernel modules in a kernel package and what they depend on.

A package has no modules.dep (depmod makes it when the package is installed), but every module
carries its dependencies in its own .modinfo section as `depends=a,b`.
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
    """`kernel/fs/ext4/ext4.ko.xz` -> `ext4`; hyphens are underscores, as in the kernel."""
    return PurePosixPath(path).name.split(".ko")[0].replace("-", "_")


def unpack_module(path: str, data: bytes) -> bytes:
    """The ELF file of a module, unpacked and without its signature.

    Checking a signature costs some 280 million instructions a module. The kernel loads a module
    without one and says so ("module verification failed"), unless it was told to enforce
    signatures.
    """
    if path.endswith(".xz"):
        data = lzma.decompress(data)
    elif not path.endswith(".ko"):
        raise GuestError(f"{path}: a kernel module in a compression that is not understood")
    return _without_signature(data)


def _without_signature(data: bytes) -> bytes:
    """Cut what scripts/sign-file appended: signature, struct module_signature, the mark."""
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
    """`names` and all that they depend on, in an order in which they can be loaded.

    A name that is not among `modules` is built into the kernel, and left out.
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
