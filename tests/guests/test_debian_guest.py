"""Fetching the Debian guest, from an archive that the test makes and signs with its own key."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from rvplat.cli.main import main
from rvplat.guests import apt, vmm
from rvplat.guests.aptsources import AptSource
from rvplat.guests.debian import DebianGuest, fetch
from rvplat.guests.errors import GuestError
from tests.guests import debian_archive

HAS_APT = all(shutil.which(tool) for tool in ("apt-get", "gpg", "gpgv"))
needs_apt = pytest.mark.skipif(not HAS_APT, reason="needs apt and gpg")
META = {"linux-image-riscv64": "linux-image-6.1.2-riscv64"}
NEEDED = """\
The guest needs these packages of Debian trixie, architecture riscv64:
  linux-image-VERSION-riscv64  the kernel and its modules
  opensbi                      the firmware: fw_jump, fw_dynamic
  u-boot-qemu                  U-Boot
  busybox-static               the user space
Any Debian mirror has them: put the .deb files into {folder}, and try again."""


@dataclass
class Mirror:
    """An archive in a folder, which can be made the only source of the host's apt."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def is_host_source(self, key: debian_archive.SigningKey) -> None:
        source = AptSource(f"file:{self.folder}", "bookworm", str(key.public))
        self.monkeypatch.setattr(apt, "host_sources", lambda: [source])


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> debian_archive.SigningKey:
    return debian_archive.SigningKey.make(tmp_path_factory.mktemp("key") / "home")


@pytest.fixture(scope="module")
def other_key(tmp_path_factory: pytest.TempPathFactory) -> debian_archive.SigningKey:
    return debian_archive.SigningKey.make(tmp_path_factory.mktemp("other") / "home")


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    return Mirror(tmp_path / "mirror", monkeypatch)


def _put_packages(folder: Path, version: str = "6.1.2") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in debian_archive.guest_packages(version).items():
        (folder / f"{name}_{version}-1_riscv64.deb").write_bytes(data)


@needs_apt
def test_fetch_downloads_once(
    tmp_path: Path, mirror: Mirror, key: debian_archive.SigningKey
) -> None:
    debian_archive.write_archive(mirror.folder, key, debian_archive.guest_packages(), META)
    mirror.is_host_source(key)
    said: list[str] = []
    guest = fetch(tmp_path / "guest", lambda text, fraction: said.append(text))
    assert guest.kernel.read_bytes() == debian_archive.kernel_image(b"6.1.2")
    assert guest.fw_jump.read_bytes() == b"fw_jump.bin"
    assert guest.fw_dynamic.read_bytes() == b"fw_dynamic.bin"
    assert guest.u_boot.read_bytes() == b"u-boot.bin"
    assert guest.u_boot_smode.read_bytes() == b"_smodeu-boot.bin"
    assert any(text.startswith("apt: linux-image-6.1.2-riscv64, opensbi") for text in said)
    assert guest.command() in (tmp_path / "guest" / "README").read_text()
    shutil.rmtree(mirror.folder)
    said.clear()
    assert fetch(tmp_path / "guest", lambda text, fraction: said.append(text)) == guest
    assert said == ["the guest is there already"]


@needs_apt
def test_unsigned_archive_is_refused(
    tmp_path: Path, mirror: Mirror, key: debian_archive.SigningKey
) -> None:
    debian_archive.write_archive(mirror.folder, None, debian_archive.guest_packages(), META)
    mirror.is_host_source(key)
    with pytest.raises(GuestError, match="not signed") as caught:
        fetch(tmp_path / "guest")
    assert str(caught.value).endswith(NEEDED.format(folder=tmp_path / "guest" / "packages"))
    assert not list((tmp_path / "guest" / "packages").iterdir())


@needs_apt
def test_changed_index_is_refused(
    tmp_path: Path, mirror: Mirror, key: debian_archive.SigningKey
) -> None:
    debian_archive.write_archive(mirror.folder, key, debian_archive.guest_packages(), META)
    index = next(mirror.folder.rglob("Packages.gz"))
    index.write_bytes(index.read_bytes() + b"more")
    mirror.is_host_source(key)
    with pytest.raises(GuestError, match=r"apt-get update failed \(package list of trixie\)"):
        fetch(tmp_path / "guest")


@needs_apt
def test_unknown_key_is_fetched_from_the_hosts_own_release(
    tmp_path: Path,
    mirror: Mirror,
    key: debian_archive.SigningKey,
    other_key: debian_archive.SigningKey,
) -> None:
    debian_archive.write_archive(mirror.folder, other_key, debian_archive.guest_packages(), META)
    name = "usr/share/keyrings/debian-archive-keyring.gpg"
    keyring = debian_archive.deb("Package: k\n", {name: other_key.public.read_bytes()})
    debian_archive.write_archive(
        mirror.folder, key, {"debian-archive-keyring": keyring}, {},
        "bookworm", apt.host_architecture(),
    )  # fmt: skip
    mirror.is_host_source(key)
    said: list[str] = []
    fetch(tmp_path / "guest", lambda text, fraction: said.append(text))
    assert "apt: the host lacks the keys of trixie: fetching debian-archive-keyring" in said


@needs_apt
def test_key_without_a_trusted_signature_is_refused(
    tmp_path: Path,
    mirror: Mirror,
    key: debian_archive.SigningKey,
    other_key: debian_archive.SigningKey,
) -> None:
    debian_archive.write_archive(mirror.folder, other_key, debian_archive.guest_packages(), META)
    mirror.is_host_source(key)
    with pytest.raises(GuestError, match="apt-get update failed"):
        fetch(tmp_path / "guest")


def test_error_without_apt_lists_the_needed_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GuestError) as caught:
        fetch(tmp_path / "guest")
    needed = NEEDED.format(folder=tmp_path / "guest" / "packages")
    assert str(caught.value) == f"There is no apt-get on this machine.\n{needed}"


def test_packages_may_be_put_there_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    _put_packages(tmp_path / "guest" / "packages", "6.9.1")
    _put_packages(tmp_path / "guest" / "packages", "6.12.1")
    guest = fetch(tmp_path / "guest")
    assert guest.kernel.read_bytes() == debian_archive.kernel_image(b"6.12.1")


def test_initramfs_has_init_busybox_and_the_modules_that_are_needed(tmp_path: Path) -> None:
    _put_packages(tmp_path / "packages")
    archive = fetch(tmp_path).initrd.read_bytes()
    for name in (b"init\0", b"bin/busybox\0", b"dev/console\0", b"lib/modules/crc_16.ko\0"):
        assert name in archive
    assert b"jbd2\ncrc_16\next4\n" in archive
    assert b"unwanted" not in archive
    assert b"Module signature" not in archive


def test_torn_guest_is_made_again(tmp_path: Path) -> None:
    _put_packages(tmp_path / "packages")
    guest = fetch(tmp_path)
    whole = guest.initrd.read_bytes()
    guest.initrd.write_bytes(whole[:100])
    assert fetch(tmp_path).initrd.read_bytes() == whole


def test_guest_for_kvm_is_made_when_it_is_asked_for(tmp_path: Path) -> None:
    _put_packages(tmp_path / "packages")
    guest = fetch(tmp_path)
    assert not guest.kvm_initrd.exists()
    assert f"rvplat guest debian {tmp_path} --kvm\n" in (tmp_path / "README").read_text()
    said: list[str] = []
    assert fetch(tmp_path, lambda text, fraction: said.append(text), kvm=True) == guest
    assert "building the initramfs" in said
    archive = guest.kvm_initrd.read_bytes()
    for name in (b"kvm/vmm\0", b"kvm/Image\0", b"kvm/initrd.cpio\0", vmm().read_bytes()):
        assert name in archive
    assert all(command in (tmp_path / "README").read_text() for command in guest.kvm_commands())


def test_guest_for_kvm_is_kept_up_to_date(tmp_path: Path) -> None:
    _put_packages(tmp_path / "packages")
    guest = fetch(tmp_path, kvm=True)
    whole = guest.kvm_initrd.read_bytes()
    guest.kvm_initrd.write_bytes(whole[:100])
    fetch(tmp_path)
    assert guest.kvm_initrd.read_bytes() == whole


def test_the_command_prints_how_to_run_the_guest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _put_packages(tmp_path / "packages")
    guest = DebianGuest(tmp_path)
    assert main(["guest", "debian", str(tmp_path)]) == 0
    plain = capsys.readouterr().out
    assert guest.command() in plain and str(guest.kvm_initrd) not in plain
    assert main(["guest", "debian", str(tmp_path), "--kvm"]) == 0
    with_kvm = capsys.readouterr().out
    assert all(f"\n  {command}\n" in with_kvm for command in guest.kvm_commands())


def test_package_without_its_files_is_named(tmp_path: Path) -> None:
    _put_packages(tmp_path / "packages")
    opensbi = next((tmp_path / "packages").glob("opensbi_*"))
    opensbi.write_bytes(debian_archive.deb("Package: opensbi\n", {"usr/share/doc/x": b""}))
    with pytest.raises(GuestError, match=r"opensbi_.*fw_dynamic\.bin, .* is not in it"):
        fetch(tmp_path)


def test_command_quotes_what_a_shell_would_split() -> None:
    guest = DebianGuest(Path("/a b"))
    assert guest.command() == (
        "rvplat run virt '/a b/fw_jump.bin' --kernel '/a b/Image' --initrd '/a b/initrd.cpio'"
        " --append quiet"
    )
