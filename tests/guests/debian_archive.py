"""A small Debian archive for tests. It makes the packages, the index, and a key that signs it."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path


def tar_xz(contents: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as tar:
        for name, data in contents.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def ar(members: dict[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def deb(control: str, contents: dict[str, bytes]) -> bytes:
    return ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar.xz": tar_xz({"control": control.encode()}),
            "data.tar.xz": tar_xz(contents),
        }
    )


def kernel_image(payload: bytes) -> bytes:
    """Bytes with the header of a RISC-V Image."""
    return (b"MZ" + bytes(0x36) + b"RSC\x05" + payload).ljust(256, b"\0")


def module(depends: str, signed: bool = True) -> bytes:
    """Bytes with a module's .modinfo and, like a module of Debian's, a signature."""
    body = b"\x7fELF\0license=GPL\0depends=" + depends.encode() + b"\0name=x\0code"
    if not signed:
        return body
    signature = b"signature!"
    trailer = bytes(8) + len(signature).to_bytes(4, "big")
    return body + signature + trailer + b"~Module signature appended~\n"


def guest_packages(version: str = "6.1.2") -> dict[str, bytes]:
    """The .deb files of a guest, by name. Their contents are small dummies."""
    modules = f"usr/lib/modules/{version}-riscv64/kernel"
    opensbi = "usr/lib/riscv64-linux-gnu/opensbi/generic"
    trees: dict[str, dict[str, bytes]] = {
        f"linux-image-{version}-riscv64": {
            f"boot/vmlinux-{version}-riscv64": kernel_image(version.encode()),
            f"{modules}/fs/ext4/ext4.ko.xz": lzma.compress(module("jbd2,crc-16")),
            f"{modules}/fs/jbd2.ko.xz": lzma.compress(module("")),
            f"{modules}/lib/crc-16.ko.xz": lzma.compress(module("")),
            f"{modules}/drivers/virtio_mmio.ko.xz": lzma.compress(module("")),
            f"{modules}/drivers/unwanted.ko.xz": lzma.compress(module("")),
        },
        "opensbi": {
            f"{opensbi}/{name}": name.encode()
            for name in ("fw_jump.bin", "fw_jump.elf", "fw_dynamic.bin", "fw_dynamic.elf")
        },
        "u-boot-qemu": {
            f"usr/lib/u-boot/qemu-riscv64{kind}/{name}": (kind + name).encode()
            for kind in ("", "_smode")
            for name in ("u-boot.bin", "uboot.elf")
        },
        "busybox-static": {"usr/bin/busybox": b"busybox"},
    }
    return {name: deb(_control(name, version), tree) for name, tree in trees.items()}


def _control(name: str, version: str, depends: str = "") -> str:
    architecture = "riscv64" if name.startswith(("linux", "busybox")) else "all"
    extra = f"Depends: {depends}\n" if depends else ""
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n{extra}"
        "Maintainer: nobody <nobody@localhost>\nDescription: a test's package\n"
    )


@dataclass(frozen=True)
class SigningKey:
    """A key for one test. The file `public` is a keyring for apt."""

    home: Path
    public: Path

    @classmethod
    def make(cls, home: Path) -> SigningKey:
        home.mkdir(mode=0o700)
        key = cls(home, home / "public.gpg")
        key._gpg("--quick-generate-key", "archive@localhost", "rsa2048", "sign", "never")
        key.public.write_bytes(key._gpg("--export"))
        return key

    def sign(self, text: str) -> bytes:
        """The text with an inline signature, as in an InRelease file."""
        return self._gpg("--clearsign", text=text)

    def _gpg(self, *arguments: str, text: str = "") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--passphrase", "", *arguments]
        result = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
        return result.stdout


def write_archive(
    folder: Path,
    key: SigningKey | None,
    packages: dict[str, bytes],
    depends: dict[str, str],
    suite: str = "trixie",
    architecture: str = "riscv64",
) -> None:
    """Write an archive with these .deb files, and empty packages with these dependencies."""
    pool = folder / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    everything = dict(packages)
    everything.update({n: deb(_control(n, "1", on), {}) for n, on in depends.items()})
    stanzas = []
    for name, data in everything.items():
        version = "6.1.2" if name in packages else "1"
        file = f"pool/{name}_{version}_{architecture}.deb"
        (folder / file).write_bytes(data)
        control = _control(name, version, depends.get(name, ""))
        digest = hashlib.sha256(data).hexdigest()
        stanzas.append(f"{control}Filename: {file}\nSize: {len(data)}\nSHA256: {digest}\n")
    plain = "\n".join(stanzas).encode()
    packed = gzip.compress(plain, mtime=0)
    place = f"main/binary-{architecture}/Packages"
    dist = folder / "dists" / suite
    (dist / place).parent.mkdir(parents=True, exist_ok=True)
    (dist / f"{place}.gz").write_bytes(packed)
    release = (
        f"Origin: Debian\nSuite: {suite}\nCodename: {suite}\nArchitectures: {architecture}\n"
        "Components: main\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nSHA256:\n"
        f" {hashlib.sha256(plain).hexdigest()} {len(plain)} {place}\n"
        f" {hashlib.sha256(packed).hexdigest()} {len(packed)} {place}.gz\n"
    )
    if key is None:
        (dist / "Release").write_text(release)
    else:
        (dist / "InRelease").write_bytes(key.sign(release))
