"""From LLVM text to native code. This module imports the compiler."""

from __future__ import annotations

import llvmlite.binding as llvm

from rvplat.lang.native.code_memory import together
from rvplat.lang.native.dumps import Dumps
from rvplat.lang.native.image_link import linked


def target_machine(level: int) -> llvm.TargetMachine:
    """The host as a target, with an optimisation level of code generation."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(),
        opt=level, reloc="pic", codemodel="small",
    )  # fmt: skip


def llvm_processor() -> str:
    """The host's processor as LLVM describes it."""
    features = llvm.get_host_cpu_features().flatten()
    return f"{llvm.get_default_triple()} {llvm.get_host_cpu_name()} {features}"


def compile_text(text: str, dumps: Dumps | None = None, level: int = 2) -> bytes:
    """Native code of a module's text, optimised: an image, or an object that only LLVM can load.
    RuntimeError if LLVM refuses the text."""
    dumps = dumps or Dumps()
    if dumps.ir:
        dumps.ir.write_text(text)
    machine = target_machine(level)
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
    made = bytes(machine.emit_object(module))
    image = linked(made)
    return made if image is None else image.to_bytes()


class LoadedObject:
    """An object that LLVM has loaded. Its addresses are valid as long as this object lives."""

    def __init__(self, data: bytes) -> None:
        empty = llvm.parse_assembly("")
        self._engine = llvm.create_mcjit_compiler(empty, target_machine(2))
        with together():
            self._engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(data))
            self._engine.finalize_object()

    def find(self, symbol: str) -> int:
        """The host address of an exported symbol; 0 if it isn't there."""
        engine = self._engine
        return int(engine.get_global_value_address(symbol) or engine.get_function_address(symbol))
