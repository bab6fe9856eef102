"""The worked example of an instruction, used as a stranger would: by its path."""

from pathlib import Path

import pytest
import rvplat_plugins.examples

from rvplat.errors import BoardError
from rvplat.machine.boards.toml_tree import parse_override
from rvplat.machine.machine import Machine
from rvplat.machine.running.run import Runner

XMIX = Path(rvplat_plugins.examples.__file__).parent / "xmix.py"
ISA = 'harts.isa="rv64imac_zicsr_xmix"'
START = 0x8000_0000


def program(tmp_path: Path, *words: int) -> Path:
    file = tmp_path / "program.bin"
    file.write_bytes(b"".join(word.to_bytes(4, "little") for word in words))
    return file


def machine(tmp_path: Path, *words: int, settings: tuple[str, ...] = ()) -> Machine:
    overrides = [parse_override(s) for s in (ISA, *settings)]
    return Machine.open(
        "spike", program(tmp_path, *words), overrides=overrides, plugin_paths=[XMIX]
    )


MIX_X5 = 0x0073_028B  # mix x5, x6, x7
WRITE_KEY = 0x8003_1073  # csrw mixkey, x6


def test_the_instruction_and_its_csr_work(tmp_path: Path) -> None:
    with machine(tmp_path, WRITE_KEY, MIX_X5, settings=("harts.allow_draft=true",)) as found:
        hart = found.harts[0].view
        hart.x[6], hart.x[7] = 0x8000_0000_0000_0003, 4
        hart.pc = START
        assert Runner(found, max_instructions=2).run().reason == "limit"
        assert hart.mixkey == 3
        assert hart.x[5] == 0x38 + 3
        assert hart.pc == START + 8


def test_a_hart_without_the_extension_traps(tmp_path: Path) -> None:
    with Machine.open("spike", program(tmp_path, MIX_X5), plugin_paths=[XMIX]) as found:
        hart = found.harts[0].view
        hart.pc = START
        hart.mtvec = START + 0x100
        Runner(found, max_instructions=1).run()
        assert hart.mcause == 2
        assert hart.mtval == MIX_X5


def test_a_draft_needs_leave(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="allow_draft"):
        machine(tmp_path, MIX_X5)
