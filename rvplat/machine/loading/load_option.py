"""A file that `--load [ADDR=]FILE` loads."""

from __future__ import annotations

from pathlib import Path

from rvplat.errors import LoaderError
from rvplat.frozen import frozen
from rvplat.machine.loading.images import read_program
from rvplat.machine.loading.program import Program, Segment
from rvplat.machine.loading.user_files import read_file


@frozen
class LoadOption:
    """A file for `--load`: raw bytes for `address`; without one, an ELF file whose segments have
    addresses."""

    path: Path
    address: int | None = None

    def read(self) -> Program:
        """Read the file.

        Raises:
            LoaderError: the file can't be read, or neither it nor the option has an address.
        """
        what = "the file to load"
        if self.address is not None:
            data = read_file(self.path, what)
            return Program(
                self.path, "raw", (Segment(self.address, data, len(data)),), self.address
            )
        program = read_program(self.path, what)
        if program.kind != "elf" or not program.fixed:
            raise LoaderError(
                f"{self.path}: {what}: found no ELF file that says where it goes, expected one, or "
                "an address: --load ADDR=FILE"
            )
        return program
