"""The process that compiles regions. It is separate, so that it holds up no hart, device or gdb.

Requests come on standard input and answers go to standard output (messages.py). A file has the
tables (tables.py). When the machine is closed, the process finishes its work and keeps the result
for the next start.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rvplat.engine.regions.assemble import Assembler
from rvplat.engine.regions.graph import Decoder, discover
from rvplat.engine.regions.messages import Answer, Farewell, Request, receive, send
from rvplat.engine.regions.store import Store
from rvplat.engine.regions.tables import Tables


@dataclass(frozen=True)
class Effort:
    """What LLVM does with a region: whether it optimises it, and its level of code generation."""

    optimise: bool = True
    generation: int = 1


USUAL = Effort()
LONGEST_S = 90  # a compile that takes longer ends the process
FINISHING_S = 10  # so long the process works on after the machine was closed


class Compiler:
    """Compiles requests."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._decoder = Decoder(tables.rows)

    def answer(self, request: Request, effort: Effort = USUAL) -> Answer:
        """The compiled region."""
        began = time.process_time()
        graph = discover(
            request.page, request.ran, request.heads, self._decoder, self._tables.templates,
            request.most,
        )  # fmt: skip
        if not graph.heads:
            return Answer(request.number, left=tuple(sorted(graph.left)))
        text = Assembler(self._tables, graph, request.split, request.covers).text()
        dump = Path(request.dump) if request.dump else None
        code = compile_region(text, dump, effort)
        seconds = time.process_time() - began
        heads, inside = tuple(sorted(graph.heads)), tuple(sorted(graph.instructions))
        left, beyond = tuple(sorted(graph.left)), tuple(sorted(graph.beyond))
        return Answer(
            request.number, code, heads, inside, left, graph.lines, seconds, beyond=beyond
        )


def compile_region(text: str, dump: Path | None = None, effort: Effort = USUAL) -> bytes:
    """Native code of a region's text, as `NativeCode` takes it. `dump`: the files to which the
    stages are written, without their suffixes."""
    import llvmlite.binding as llvm

    from rvplat.lang.native.image_link import linked
    from rvplat.lang.native.objects import target_machine

    _set_options()
    machine = target_machine(effort.generation)
    if dump:
        dump.with_suffix(".ll").write_text(text)
    module = llvm.parse_assembly(text)
    if effort.optimise:
        _optimise(module, machine)
    if dump:
        dump.with_suffix(".opt.ll").write_text(str(module))
        dump.with_suffix(".s").write_text(machine.emit_assembly(module))
    made = bytes(machine.emit_object(module))
    image = linked(made)
    return made if image is None else image.to_bytes()


@cache
def _set_options() -> None:
    """Set LLVM's options of code generation, once in a process. Loop strength reduction is off: it
    brings addresses to a common counter, which takes more registers than the host has."""
    import llvmlite.binding as llvm

    llvm.set_option("", "-disable-lsr")


def _optimise(module: Any, machine: Any) -> None:
    import llvmlite.binding as llvm

    passes = llvm.create_new_function_pass_manager()
    passes.add_simplify_cfg_pass()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_jump_threading_pass()  # LLVM's new_gvn fails an assertion for some regions
    passes.add_simplify_cfg_pass()
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=1))
    passes.run(module.get_function("region"), builder)


def _answer(compiler: Compiler, request: Request) -> Answer:
    try:
        return compiler.answer(request)
    except Exception as error:  # reported; the harts go on without this region
        return Answer(request.number, problem=f"{type(error).__name__}: {error}")


def finish(compiler: Compiler, last: tuple[Request, Answer] | None, farewell: Farewell) -> None:
    """Keep the last answer, if nobody has taken it, and those to further requests. Nobody waits for
    it, so everything else goes first."""
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    store = Store(farewell.key)
    if last is not None and last[0].number == farewell.number:
        _keep(store, *last)
    for request in farewell.more:
        _keep(store, request, _answer(compiler, request))


def _keep(store: Store, request: Request, answer: Answer) -> None:
    if answer.code is not None:
        store.add(answer, request.page)
        store.save()  # nobody is there to be told of a problem


def main() -> None:
    """Answer requests until the stream ends. The last argument is the tables' file descriptor."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print does not disturb the answers
    with os.fdopen(int(sys.argv[-1]), "rb") as tables:
        compiler = Compiler(Tables.from_bytes(tables.read()))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of a terminal; the pipe will end too
    last = None
    while True:
        try:
            message = receive(requests)
        except EOFError:
            return
        if isinstance(message, Farewell):
            signal.alarm(FINISHING_S)
            finish(compiler, last, message)
            return
        signal.alarm(LONGEST_S)  # it may be that nobody is there who would end this process
        last = message, _answer(compiler, message)
        signal.alarm(0)
        with contextlib.suppress(BrokenPipeError):  # the machine's process has ended
            send(answers, last[1])


if __name__ == "__main__":
    main()
