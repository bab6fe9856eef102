"""What a later start of a guest takes from an earlier one, and what it adds."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from rvplat import Machine
from rvplat.engine.regions import client as clients
from rvplat.engine.regions.client import Client
from rvplat.engine.regions.messages import Request
from rvplat.engine.regions.store import Store
from rvplat.isa.privileged import PAGE_MASK
from rvplat.machine.running.region_manager import RegionManager
from rvplat.machine.running.region_pages import EARLY, HALF_S, REPORTS, Page
from tests.machine.regions.forced import machine_of, run_to_end
from tests.machine.small_guests import POWER_OFF

ROOT = Path(__file__).parents[3]

NAMES = {"first": 4096, "second": 4, "third": 4, "far": 4096}  # with their alignments

#: Three functions in a page and one in another. They run so shortly that harts report nothing.
FUNCTIONS = (
    "".join(f"  call {name}\n" for name in NAMES)
    + POWER_OFF
    + "".join(
        f"""
.balign {align}
{name}:
  li s0, 200
1: addi s1, s1, {n}
  addi s0, s0, -1
  bnez s0, 1b
  ret
"""
        for n, (name, align) in enumerate(NAMES.items())
    )
)


def report(machine: Machine, symbol: str, count: int = 1) -> None:
    """A hart finds that code is hot."""
    regions = cast(RegionManager, machine.regions)
    with regions._work:
        regions._report(machine.symbols[symbol], count)


def compiled(machine: Machine) -> set[int]:
    """Compile the page; the offsets of the instructions in its region."""
    regions, start = cast(RegionManager, machine.regions), machine.symbols["first"] & PAGE_MASK
    regions._compile_page(start, regions._ran(start))
    return placed(machine)


def placed(machine: Machine) -> set[int]:
    return {offset for page in machine.regions.hot_pages() for offset in page.inside}


@contextmanager
def machine_with_store(program: str, folder: Path) -> Iterator[Machine]:
    """A machine that keeps its regions in a folder of the test, and has all else from the cache."""
    with pytest.MonkeyPatch.context() as patch, machine_of(program, "hot") as machine:
        assert cast(RegionManager, machine.regions)._tables
        patch.setenv("RVPLAT_CACHE", str(folder))
        yield machine


def test_a_region_of_an_earlier_start_grows(tmp_path: Path) -> None:
    """It is not replaced by one that has only what this start has found hot."""
    with machine_with_store(FUNCTIONS, tmp_path) as machine:
        run_to_end(machine)
        report(machine, "first")
        report(machine, "second")
        before = compiled(machine)
        assert before
    with machine_with_store(FUNCTIONS, tmp_path) as machine:
        run_to_end(machine)
        report(machine, "second")
        assert placed(machine) == before
        report(machine, "third")
        assert before < compiled(machine)


#: Two samples or three are in the second page, at different instructions of straight code.
SELDOM = (
    """
  li s0, 10
1: call work
  addi s0, s0, -1
  bnez s0, 1b
"""
    + POWER_OFF
    + ".balign 4096\nfirst: work:\n.rept 600\n  c.addi s1, 1\n  c.j 1f\n1:\n.endr\n  ret\n"
)


def test_a_region_of_an_earlier_start_is_used_from_the_first_sample_on(tmp_path: Path) -> None:
    """It would take several samples of one instruction to find the code hot."""
    with machine_of(SELDOM, "off") as machine:
        expected = run_to_end(machine)
    with machine_with_store(SELDOM, tmp_path) as machine:
        run_to_end(machine)
        assert placed(machine) == set()
        report(machine, "first")
        assert compiled(machine)
    with machine_with_store(SELDOM, tmp_path) as machine:
        regions = cast(RegionManager, machine.regions)
        assert run_to_end(machine) == expected
        regions._take_reports()  # if the guest's end came before the thread
        assert placed(machine)
        assert regions.counts.kept == 1


def test_kept_regions_of_the_same_size_do_not_replace_each_other(tmp_path: Path) -> None:
    """Each is found by its own head."""
    with machine_with_store(FUNCTIONS, tmp_path) as machine:
        run_to_end(machine)
        report(machine, "first")
        assert compiled(machine)
        (page,) = cast(RegionManager, machine.regions)._pages.values()
        assert page.placed is not None
        made, data = page.placed.answer, page.placed.data.raw
    with machine_with_store(FUNCTIONS, tmp_path) as machine:
        run_to_end(machine)
        regions, start = cast(RegionManager, machine.regions), machine.symbols["first"]
        regions._store = Store("two regions")
        first, second, *_ = made.heads
        for head in (first, second):
            regions._store.add(replace(made, heads=(head,)), data)
        for _ in range(3):
            regions._report(start + first, 1)
            regions._report(start + second, 1)
        assert regions.counts.kept == 1


def test_code_that_is_nearly_hot_is_compiled_when_nothing_else_is(tmp_path: Path) -> None:
    with machine_with_store(FUNCTIONS, tmp_path) as machine:
        regions = cast(RegionManager, machine.regions)
        regions._ended = True  # the machine's thread compiles nothing
        run_to_end(machine)
        for thread in regions._threads[1:]:
            thread.join()
        regions._ended = False
        far, first = (machine.symbols[name] & PAGE_MASK for name in ("far", "first"))
        report(machine, "first", EARLY - 1)
        report(machine, "far", EARLY)
        report(machine, "first", REPORTS)
        assert regions._queue.every() == [first, far]
        assert regions._next_page() == first
        regions._compile_page(first, regions._ran(first))
        assert regions._next_page() == far


def test_the_hottest_code_is_compiled_first() -> None:
    """A region of limited size has what is hot, not what was reported first. A page that is hot now
    comes before one that was hotter once."""
    page = Page()
    for offset, count in ((0, 1), (64, 8), (128, 2), (0, 2)):
        page.add_reports(offset, count, 100.0)
    assert page.every_head == (64, 0, 128)
    earlier = Page()
    earlier.add_reports(0, 20, 98.0)
    assert page.heat_at(98.0 + 10 * HALF_S) > earlier.heat_at(98.0 + 10 * HALF_S)
    assert earlier.reports > page.reports


# --- what the compiler does at the end ----------------------------------------------------------

#: Closes a machine as `closed_while_compiling` does, and ends.
PROCESS = f"""
import sys
import pytest
from pathlib import Path
from {__name__} import closed_while_compiling
with pytest.MonkeyPatch.context() as patch:
    process, regions, _ = closed_while_compiling(Path(sys.argv[1]), patch)
    print(process)
    print(regions._kept.key)
"""


def closed_while_compiling(
    folder: Path, patch: pytest.MonkeyPatch
) -> tuple[int, RegionManager, list[bytes]]:
    """Close a machine while it compiles a page and another one waits; `folder` is the cache.
    Returns the compiler, which goes on when `go_on` is called, and the bytes of the pages."""
    asked, pids, original = threading.Event(), list[int](), Client._asked
    os.mkfifo(folder / "gate")
    patch.setattr(clients, "_START", f"open({str(folder / 'gate')!r}).read()\n" + clients._START)

    def noted(self: Client, request: Request) -> subprocess.Popen[bytes]:
        process = original(self, request)
        pids.append(process.pid)
        asked.set()
        return process

    patch.setattr(Client, "_asked", noted)
    with machine_of(FUNCTIONS, "hot") as machine:
        patch.setenv("RVPLAT_CACHE", str(folder))
        run_to_end(machine)
        regions = cast(RegionManager, machine.regions)
        report(machine, "first", REPORTS)
        assert asked.wait(60)
        report(machine, "far", REPORTS)
        pages = [regions._code.bytes_at(machine.symbols[name]) for name in ("first", "far")]
    return pids[0], regions, pages


def go_on(folder: Path) -> None:
    (folder / "gate").write_text("")


def test_what_is_compiled_at_the_end_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is what waits. `close` waits for neither, and no process is left."""
    process, regions, pages = closed_while_compiling(tmp_path, monkeypatch)
    go_on(tmp_path)
    for thread in regions._threads:
        thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    store = Store(regions._kept.key)
    assert all(store.find(0, page) is not None for page in pages)


def test_the_compiler_finishes_though_the_machine_s_process_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with machine_of(FUNCTIONS, "off") as machine:
        code = [machine.memory.read(machine.symbols[name], 4096) for name in ("first", "far")]
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    number, _, key = said.partition("\n")
    process = int(number)
    ended = os.pidfd_open(process)
    go_on(tmp_path)
    assert select.select([ended], [], [], 60)[0]
    os.close(ended)
    monkeypatch.setenv("RVPLAT_CACHE", str(tmp_path))
    store = Store(key.rstrip("\n"))
    assert all(store.find(0, page) is not None for page in code)
