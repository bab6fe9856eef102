"""Native code in parts: a change of one extension that ships compiles that extension alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

import rvplat

START = """
import json
from rvplat import Machine
from rvplat.guests import demo_elf
settings = {"harts.isa": "rv64gch_zicntr_zihpm_sstc_zba_zbb_zbs_zfa"}
with Machine.open("virt", program=demo_elf(), settings=settings) as machine:
    stop = machine.run(timeout_s=60)
    print(json.dumps([stop.reason, list(machine.core.compiled)]))
"""


def compiled_by(packages: Path) -> list[str]:
    """The parts that a start compiles, in the folder's packages. The demo runs to its end."""
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run(
        [sys.executable, "-c", START], env=environment, cwd=packages, text=True, check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    reason, compiled = json.loads(done.stdout.splitlines()[-1])
    assert reason == "off"
    return list(compiled)


@pytest.mark.slow
def test_a_changed_file_compiles_what_depends_on_it(tmp_path: Path) -> None:
    root = Path(rvplat.__file__).parent
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(root, tmp_path / "rvplat", ignore=ignored)
    compiled_by(tmp_path)  # the cache may be empty

    def change(name: str) -> list[str]:
        with (tmp_path / "rvplat" / name).open("a") as file:
            file.write(f"\n# {uuid4()}: no cache has it\n")
        return compiled_by(tmp_path)

    assert compiled_by(tmp_path) == [], "the texts are the same, wherever they are"
    assert change("isa/rv_zbb.py") == ["Zbb"]
    assert change("isa/rv_zfa.py") == ["Zfa"]
    assert change("isa/fp_arithmetic.py") == ["F", "Zcd", "D", "Zfa", "pairs"]
    everything = {"", "I", "D", "pairs", "devices"}
    assert everything <= set(change("hart/memory.py"))
    assert compiled_by(tmp_path) == []
