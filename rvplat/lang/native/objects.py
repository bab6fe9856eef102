"""From LLVM text to native code: optimise, compile, load."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import llvmlite
import llvmlite.binding as llvm

from rvplat.lang.native.code_memory import together


@dataclass(frozen=True)
class Dumps:
    """The files to which the compiler's stages are written; None: not written."""

    ir: Path | None = None
    optimised: Path | None = None
    assembly: Path | None = None

    def named(self, part: str) -> Dumps:
        """The files for a part of the code, with its name in front of theirs; "": these files."""
        if not part:
            return self
        files = (self.ir, self.optimised, self.assembly)
        return Dumps(*(file and file.with_name(f"{part}-{file.name}") for file in files))


def wanted_dumps() -> Dumps | None:
    """The files in the folder RVPLAT_DUMP. None if the variable is not set."""
    chosen = os.environ.get("RVPLAT_DUMP")
    if not chosen:
        return None
    folder = Path(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    return Dumps(folder / "before.ll", folder / "after.ll", folder / "assembly.s")


def _machine(level: int) -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(),
        opt=level, reloc="pic", codemodel="small",
    )  # fmt: skip


def host_key() -> str:
    """All that object code depends on besides its text: LLVM's version and the host's processor."""
    version = ".".join(map(str, llvm.llvm_version_info))
    features = llvm.get_host_cpu_features().flatten()
    triple = llvm.get_default_triple()
    return f"{llvmlite.__version__} {version} {triple} {llvm.get_host_cpu_name()} {features}"


def compile_text(text: str, dumps: Dumps | None = None, level: int = 2) -> bytes:
    """Optimised object code of a module's text. RuntimeError if LLVM refuses the text."""
    dumps = dumps or Dumps()
    if dumps.ir:
        dumps.ir.write_text(text)
    machine = _machine(level)
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=level)
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    if dumps.optimised:
        dumps.optimised.write_text(str(module))
    if dumps.assembly:
        dumps.assembly.write_text(machine.emit_assembly(module))
    return bytes(machine.emit_object(module))


class NativeCode:
    """Object code in memory. Host addresses are valid as long as this object lives."""

    def __init__(self, data: bytes) -> None:
        empty = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(empty, _machine(2))
        with together():
            self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(data))
            self._engine.finalize_object()

    def address(self, symbol: str) -> int:
        """The host address of an exported symbol. KeyError if it isn't there."""
        found = self._find(symbol)
        if not found:
            raise KeyError(symbol)
        return found

    def __contains__(self, symbol: object) -> bool:
        """Whether a symbol is exported."""
        return isinstance(symbol, str) and self._find(symbol) != 0

    def _find(self, symbol: str) -> int:
        engine = self._engine
        return int(engine.get_global_value_address(symbol) or engine.get_function_address(symbol))


Progress = Callable[[str], None]
