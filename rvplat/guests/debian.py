"""The Debian guest: OpenSBI, U-Boot, the riscv64 kernel and busybox.

A private apt (packages.py, apt.py) downloads the packages from the mirror that the host's apt uses;
nothing is installed. In a folder of the user's they become the files that a machine boots, with an
initramfs of our own (initramfs.py, init.sh). On a host without apt, the user can put the same .deb
files into the folder's `packages`.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path, PurePosixPath

from rvplat.frozen import frozen
from rvplat.guests import vmm
from rvplat.guests.deb import read_package
from rvplat.guests.errors import GuestError, Progress, silent
from rvplat.guests.initramfs import build_initramfs, build_kvm_initramfs, with_dependencies
from rvplat.guests.kallsyms import symbol_file
from rvplat.guests.kernel import plain_image
from rvplat.guests.modules import module_name, unpack_module
from rvplat.guests.packages import KERNEL, download_packages, find_packages, missing_packages

QUIET = "quiet"
FAST = (
    "quiet cryptomgr.notests initcall_blacklist=jent_mod_init,"
    "check_unaligned_access_all_cpus,trace_eval_init,load_system_certificate_list"
)
"""Kernel command lines. FAST switches off self-tests and certificates, which take most of a
boot."""

_MANIFEST = "guest.json"
_SOURCES = ("init.sh", "initramfs.py", "modules.py", "cpio.py", "debian.py", "kallsyms.py")
_KVM_INITRD = "initrd-kvm.cpio"
_FIRMWARE = "usr/lib/riscv64-linux-gnu/opensbi/generic/"
_U_BOOT = "usr/lib/u-boot/qemu-riscv64"


@frozen
class DebianGuest:
    """The files of the guest in one folder.

    Firmware and U-Boot are raw binaries for the start of RAM, except `u_boot_smode`, which OpenSBI
    starts instead of a kernel. The .elf files beside them, and beside the kernel, contain their
    symbols (OpenSBI's are linked at 0).
    """

    directory: Path

    @property
    def fw_jump(self) -> Path:
        """OpenSBI that jumps to the kernel at RAM + 2 MiB. Its arguments are a0 (hart) and a1
        (device tree)."""
        return self.directory / "fw_jump.bin"

    @property
    def fw_dynamic(self) -> Path:
        """OpenSBI that reads the address of the next stage from a structure at a2."""
        return self.directory / "fw_dynamic.bin"

    @property
    def u_boot(self) -> Path:
        """U-Boot for M mode."""
        return self.directory / "u-boot.bin"

    @property
    def u_boot_smode(self) -> Path:
        """U-Boot for S mode, which OpenSBI starts like a kernel."""
        return self.directory / "u-boot-smode.bin"

    @property
    def kernel(self) -> Path:
        """Debian's kernel, as a plain Image."""
        return self.directory / "Image"

    @property
    def kernel_symbols(self) -> Path:
        """The kernel's symbols, for debuggers."""
        return self.directory / "Image.elf"

    @property
    def initrd(self) -> Path:
        """Our initramfs. Its /init is init.sh."""
        return self.directory / "initrd.cpio"

    @property
    def kvm_initrd(self) -> Path:
        """The initramfs with a guest inside, if `fetch` made it (`kvm`). `rvplat.run=kvm` and
        `rvplat.run=nested` need it."""
        return self.directory / _KVM_INITRD

    def command(self, append: str = QUIET, kvm: bool = False) -> str:
        """The command that boots the guest; with `kvm`, with the initramfs that has a guest
        inside."""
        initrd = self.kvm_initrd if kvm else self.initrd
        words = ["rvplat", "run", "virt", str(self.fw_jump), "--kernel", str(self.kernel)]
        return shlex.join([*words, "--initrd", str(initrd), "--append", append])

    def kvm_commands(self) -> tuple[str, str]:
        """Two commands: one checks what KVM does, and one boots the same kernel as a guest of
        KVM."""
        exerciser = self.command(f"{FAST} rvplat.run=kvm", kvm=True)
        return exerciser, self.command(f"{FAST} rvplat.run=nested rvplat.vcpus=2", kvm=True)


def fetch(
    directory: Path, progress: Progress = silent, refresh: bool = False, kvm: bool = False
) -> DebianGuest:
    """Make the guest in `directory`, or use the guest that is there. `refresh` asks the mirror for
    newer packages. `kvm` also makes the initramfs with a guest for KVM, which later calls keep up
    to date.

    Raises GuestError, which says what is missing and how to get it.
    """
    guest = DebianGuest(directory.absolute())
    packages = guest.directory / "packages"
    kvm = kvm or guest.kvm_initrd.exists()
    if not refresh and is_complete(guest.directory, kvm):
        progress("the guest is there already", 1.0)
        return guest
    if refresh or missing_packages(packages):
        download_packages(packages, progress)
    contents = _unpack(find_packages(packages), progress, kvm)
    contents["README"] = _readme(guest, find_packages(packages), kvm).encode()
    _write(guest.directory, contents)
    progress(f"the guest is in {guest.directory}", 1.0)
    return guest


def is_complete(directory: Path, kvm: bool = False) -> bool:
    """Whether the folder has a complete guest that this version of rvplat made; with `kvm`, one
    with a guest for KVM."""
    try:
        manifest = json.loads((directory / _MANIFEST).read_text())
        made = manifest["files"]
        return (
            bool(manifest["recipe"] == _recipe())
            and (_KVM_INITRD in made or not kvm)
            and all(_digest((directory / name).read_bytes()) == made[name] for name in made)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _recipe() -> str:
    """A digest that changes whenever this package would make other files of the same packages."""
    sources = sorted(
        (file.name, file.read_bytes())
        for file in files(__package__).iterdir()
        if file.name in _SOURCES
    )
    return _digest(b"\0".join([*(data for _, data in sources), vmm().read_bytes()]))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(directory: Path, contents: dict[str, bytes]) -> None:
    """Write the files, and the manifest last, so that an incomplete guest is made again."""
    (directory / _MANIFEST).unlink(missing_ok=True)
    for name, data in contents.items():
        (directory / name).write_bytes(data)
    digests = {name: _digest(data) for name, data in contents.items()}
    manifest = {"recipe": _recipe(), "files": digests}
    (directory / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def _unpack(packages: dict[str, Path], progress: Progress, kvm: bool) -> dict[str, bytes]:
    """The guest's files by name."""
    contents = {}
    steps: dict[str, Callable[[Path], dict[str, bytes]]] = {
        "opensbi": _opensbi,
        "u-boot-qemu": _u_boot,
    }
    for name, step in steps.items():
        progress(f"unpacking {packages[name].name}", None)
        contents.update(step(packages[name]))
    progress(f"unpacking {packages['busybox-static'].name}", None)
    busybox = read_package(packages["busybox-static"], lambda n: n.endswith("bin/busybox"))
    progress(f"unpacking {packages[KERNEL].name}", None)
    image, modules = _kernel(packages[KERNEL])
    progress("building the initramfs", None)
    shell = _only(busybox, packages["busybox-static"])
    contents["Image"] = image
    contents.update(_symbols(image, progress))
    contents["initrd.cpio"] = build_initramfs(shell, modules)
    if kvm:
        contents[_KVM_INITRD] = build_kvm_initramfs(shell, modules, image, vmm().read_bytes())
    return contents


def _symbols(image: bytes, progress: Progress) -> dict[str, bytes]:
    """The kernel's symbols, if it has any."""
    progress("reading the kernel's symbols", None)
    try:
        return {"Image.elf": symbol_file(image)}
    except GuestError as error:
        progress(f"no Image.elf for debuggers: {error}", None)
        return {}


def _only(found: dict[str, bytes], package: Path) -> bytes:
    if len(found) != 1:
        raise GuestError(f"{package}: found {sorted(found)}, expected one file")
    return next(iter(found.values()))


def _opensbi(package: Path) -> dict[str, bytes]:
    names = ("fw_jump.bin", "fw_jump.elf", "fw_dynamic.bin", "fw_dynamic.elf")
    return _named(package, {_FIRMWARE + name: name for name in names})


def _u_boot(package: Path) -> dict[str, bytes]:
    wanted = {}
    for folder, name in (("", "u-boot"), ("_smode", "u-boot-smode")):
        wanted[f"{_U_BOOT}{folder}/u-boot.bin"] = f"{name}.bin"
        wanted[f"{_U_BOOT}{folder}/uboot.elf"] = f"{name}.elf"
    return _named(package, wanted)


def _named(package: Path, wanted: dict[str, str]) -> dict[str, bytes]:
    """Files of a package, under our names for them. GuestError if one is missing."""
    found = read_package(package, wanted.__contains__)
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        raise GuestError(f"{package}: {', '.join(missing)} is not in it")
    return {wanted[name]: data for name, data in found.items()}


def _kernel(package: Path) -> tuple[bytes, dict[str, bytes]]:
    """The Image, and by name the unpacked modules for the initramfs."""
    found = read_package(package, lambda n: n.startswith("boot/vmlinu") or ".ko" in n)
    kernels = {n: data for n, data in found.items() if n.startswith("boot/")}
    image = plain_image(_only(kernels, package), str(package))
    packed = {module_name(name): name for name in found if name not in kernels}
    modules = with_dependencies(
        packed, lambda name: unpack_module(PurePosixPath(packed[name]).name, found[packed[name]])
    )
    return image, modules


def _readme(guest: DebianGuest, packages: dict[str, Path], kvm: bool) -> str:
    names = "\n".join(f"  {path.name}" for path in packages.values())
    jump, smode = shlex.quote(str(guest.fw_jump)), shlex.quote(str(guest.u_boot_smode))
    return f"""\
Debian for rvplat, made of these packages. Their contents are unchanged, except that the kernel
modules in the initramfs have no signatures.
{names}

Start a shell; the machine powers off when the shell ends:
  {guest.command()}
Print what machine it is and power off, with a faster boot:
  {guest.command(FAST + " rvplat.run=poweroff")}
Run a command:
  {guest.command('quiet rvplat.run=script rvplat.script="uname -a; free"')}
Another firmware is fw_dynamic.bin instead of fw_jump.bin. Start U-Boot:
  rvplat run virt {shlex.quote(str(guest.u_boot))}
  rvplat run virt {jump} --kernel {smode}
Image.elf contains the kernel's symbols: --gdb 1234 --symbols \
{shlex.quote(str(guest.kernel_symbols))}
{_kvm_readme(guest, kvm)}
A virtio disk with ext4 is mounted on /mnt. rvplat.modules=kvm on the kernel's command line loads
KVM.
"""


def _kvm_readme(guest: DebianGuest, kvm: bool) -> str:
    if not kvm:
        directory = shlex.quote(str(guest.directory))
        return f"Make an initramfs with a guest for KVM:\n  rvplat guest debian {directory} --kvm"
    exerciser, nested = guest.kvm_commands()
    shell = guest.command(f"{FAST} rvplat.run=nested rvplat.append=quiet", kvm=True)
    return f"""\
Check what KVM does, with a line for each check:
  {exerciser}
Boot the same kernel as a guest of KVM, on two virtual CPUs:
  {nested}
Start a shell in such a guest:
  {shell}"""
