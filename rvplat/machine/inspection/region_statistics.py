"""Statistics of regions: how much ran in them, what they cost, and why they were left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rvplat.frozen import frozen
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.privileged import PAGE_BYTES
from rvplat.machine.running.region_pages import HotPage
from rvplat.machine.running.system import System

SHOWN = 8  # instructions that the table names
CROSSING = "an instruction that crosses pages"
SIZE = "the largest size"
FATES = {
    "compiled": "compiled",
    "waiting": "not hot enough yet",
    "left": "nothing to compile",
    "rewritten": "rewritten too often",
    "failed": "failed",
}


@frozen
class RegionStatistics:
    """What regions did in a run. `mode` is `harts.regions`. Budgets of harts that ended in regions
    and elsewhere are `region_samples` and `other_samples`. `seconds` is the processor time of the
    compiler; `kept` regions came from the cache, and `dropped` ones were hit by stores. `pages` are
    the numbers of pages with hot code, by what became of them. `left` are the instructions at which
    regions end, by name, with the number of places, and how many regions end by their size."""

    mode: str
    region_samples: int
    other_samples: int
    compiled: int
    instructions: int
    seconds: float
    kept: int
    dropped: int
    failed: int
    pages: dict[str, int]
    left: dict[str, int]

    @property
    def share(self) -> float:
        """The share of samples inside regions."""
        return share(self.region_samples, self.other_samples)

    def lines(self) -> Iterator[str]:
        """Text for the table."""
        if self.mode == "off":
            yield "regions: off (harts.regions)"
            return
        yield (
            f"regions: {self.share:.1%} of {self.region_samples + self.other_samples} samples; "
            f"{self.compiled} compiled ({self.instructions} instructions, {self.seconds:.2f} s), "
            f"{self.kept} from the cache, {self.dropped} dropped, {self.failed} failed"
        )
        pages = (f"{FATES[fate]} {count}" for fate, count in self.pages.items())
        yield f"pages with hot code: {', '.join(pages) or 'none'}"
        if self.left:
            named = [f"{name} {count}" for name, count in self.left.items()]
            more = [f"{len(named) - SHOWN} more"] if len(named) > SHOWN else []
            yield f"regions end at: {', '.join([*named[:SHOWN], *more])}"


def share(inside: int, outside: int) -> float:
    """The share of samples inside regions; 0 if there are no samples."""
    return inside / (inside + outside) if inside + outside else 0.0


def region_statistics(machine: System) -> RegionStatistics:
    """The statistics of a stopped machine."""
    counts, pages = machine.regions.counts, machine.regions.hot_pages()
    fates = Counter[str](page.fate for page in pages)
    return RegionStatistics(
        machine.regions.mode,
        sum(int(hart.plain.region_samples) for hart in machine.harts),
        sum(int(hart.plain.other_samples) for hart in machine.harts),
        counts.compiled, counts.instructions, counts.seconds,
        counts.kept, counts.dropped, counts.failed,
        {fate: fates[fate] for fate in FATES if fates[fate]},
        left_instructions(pages, machine.extensions),
    )  # fmt: skip


def left_instructions(pages: Iterable[HotPage], extensions: Sequence[Extension]) -> dict[str, int]:
    """The instructions at which regions end: places by mnemonic, the most frequent first. Those for
    which a region had no room count as its size."""
    disassembler = Disassembler(extensions)
    found: Counter[str] = Counter()
    for page in pages:
        beyond = set(page.beyond)
        found.update(
            mnemonic(page.data, offset, disassembler)
            for offset in page.left
            if offset not in beyond
        )
        found.update([SIZE] if beyond else [])
    return dict(found.most_common())


def mnemonic(page: bytes, offset: int, disassembler: Disassembler) -> str:
    """The name of the instruction at an offset of a page."""
    bits = int.from_bytes(page[offset : offset + 4], "little")
    if offset == PAGE_BYTES - 2 and bits & 3 == 3:
        return CROSSING
    return disassembler.text(bits).partition(" ")[0]
