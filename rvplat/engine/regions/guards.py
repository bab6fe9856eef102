"""The text of the guards of covered loops (covered.py).

A loop with the header H has the blocks

    CH  come to the header in any way: check the page of each group
    BH  come back from the fast copies: check what the next iterations may change
    BH_n  the group n allows no third copy: check what an iteration may have changed, from n on
    RH_n  the page of the group n is another one: look it up in the TLB
    QH_n  the same, after BH

They lead to the fast copies (IfH, If0_H), or to the slow one (IH). Of each group, the local `edge`
is the last value of its register for which all accesses are in the page; where the register goes
down, it is the first one. `extent` is how many values, up to the edge or from it on, are like that;
0 from the entry of the zone until the first look-up. `addend` leads from addresses to the host's
memory. `entry` and `found` are the entry of the TLB and its addend, where the register may have any
value in the next iteration.

A register that moves far leaves a page after a few iterations. Its look-up goes on with the next
pages, as long as the TLB has them and they follow each other in the host's memory too. Its blocks
have the label L of the look-up:

    XL  begin with the first further page
    YL  look the next one up in the TLB
    ZL  it has its tags and the same addend: count it
    EL  set the edge

Registers and edges have XLEN bits, and so have the sums and comparisons: on RV32 addresses wrap at
32 bits. A page is zero-extended where it is compared with a tag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rvplat.engine.regions.covered import Base, Group, Loop
from rvplat.engine.regions.graph import PAGE
from rvplat.engine.regions.lines import Lines
from rvplat.engine.regions.tables import Tables

RARE = "!prof !0"
MORE = 16  # further pages of a look-up
FAR = 32  # bytes that a register is moved by in an iteration, for a look-up of further pages
# No guard covers the pages from here on: a register could pass the end of the address space. Where
# it goes down, no guard covers as many pages at the start (FAST, SPAN and SEVERAL in covered.py).
TOP = -(8 + MORE) * PAGE


class Guards:
    """Adds guards to a text. `register_at` gives where an integer register is at a header;
    `tables` has the offsets and XLEN."""

    def __init__(self, out: Lines, tables: Tables, register_at: Callable[[Loop, int], str]) -> None:
        self._out, self._offsets, self._register_at = out, tables.offsets, register_at
        self._kind = f"i{tables.xlen}"  # of a register

    def allocas(self, loop: Loop) -> None:
        for group in loop.groups:
            kinds = {"edge": self._kind, "extent": self._kind, "addend": "i64"}
            if group.step is None:
                kinds |= {"entry": "ptr", "found": "i64"}
            for name, kind in kinds.items():
                self._out.put(f"  {_place(loop, group, name)} = alloca {kind}")

    def reset(self, loop: Loop) -> None:
        """Forget the pages: the zone is entered."""
        for group in loop.groups:
            self._out.put(f"  store {self._kind} 0, ptr {_place(loop, group, 'edge')}")
            self._out.put(f"  store volatile {self._kind} 0, ptr {_place(loop, group, 'extent')}")

    def text(self, loop: Loop) -> None:
        """The guards of a loop."""
        h, count = loop.header, len(loop.groups)
        self._out.put(f"C{h}:\n  br label %C{h}_0")
        for n, group in enumerate(loop.groups):
            self._out.put(f"C{h}_{n}:")
            self._check(loop, group, f"R{h}_{n}", enters=True)
            self._out.put(f"  br label %C{h}_{n + 1}")
            # what may have any value need not be checked again
            whole = group.step is None and n == count - 1
            self._look_up(loop, group, f"R{h}_{n}", f"If{h}" if whole else f"C{h}_{n + 1}")
        self._out.put(f"C{h}_{count}:\n  br label %If{h}\nB{h}:")
        if loop.several > 1:
            self._several(loop)
        else:
            self._out.put(f"  br label %B{h}_0")
        for n, group in enumerate(loop.groups):
            self._out.put(f"B{h}_{n}:")
            if group.step is None:
                self._check(loop, group, f"R{h}_{n}")
            elif group.step or group.stride:
                self._check_moved(loop, group, f"Q{h}_{n}")
            self._out.put(f"  br label %B{h}_{n + 1}")
            if group.step or group.stride:
                self._look_up(loop, group, f"Q{h}_{n}", f"B{h}_{n + 1}")
        self._out.put(f"B{h}_{count}:\n  br label %If{h}")

    def _several(self, loop: Loop) -> None:
        """Go to the third copy, if its last iteration is in the pages and the budget lasts. Each
        check has another way out: LLVM would join those with the same."""
        value, h = self._out.value, loop.header
        for n, group in enumerate(loop.groups):
            if group.step or group.stride:
                last = self._base(loop, group)
                if group.step:
                    last = value(f"add {self._kind} {last}, {(loop.several - 1) * group.step}")
                for _ in range(loop.several - 1 if group.stride else 0):
                    stride = self._register(loop, group.stride)
                    last = value(f"add {self._kind} {last}, {stride}")
                self._rare(self._is_beyond(loop, group, last), f"B{h}_{n}", self._new(loop))
        left = value("load i64, ptr %b")
        over = value(f"icmp slt i64 {left}, {loop.several * len(loop.body)}")
        self._rare(over, f"If{h}", self._new(loop))
        self._out.put(f"  br label %I{loop.copies[1]}{h}")

    def _register(self, loop: Loop, number: int) -> str:
        return self._out.value(f"load {self._kind}, ptr {self._register_at(loop, number)}")

    def _address(self, register: str) -> str:
        """A register's value in 64 bits."""
        return address_of(self._out, self._kind, register)

    def _base(self, loop: Loop, group: Group) -> str:
        """The sum of the registers from which the accesses of a group are."""
        first, second = group.base
        found = self._register(loop, first)
        if second:
            more = self._register(loop, second)
            found = self._out.value(f"add {self._kind} {found}, {more}")
        return found

    def _rare(self, condition: str, away: str, on: str) -> None:
        """Go to a label in the rare case, otherwise to another one, which starts here."""
        self._out.put(f"  br i1 {condition}, label %{away}, label %{on}, {RARE}\n{on}:")

    def _new(self, loop: Loop) -> str:
        self._out.count += 1
        return f"D{loop.header}_{self._out.count}"

    def _check(self, loop: Loop, group: Group, away: str, enters: bool = False) -> None:
        """Check the alignment of the register, its stride, and the page: go to `away` if it is
        another one, or, where the loop is entered, if no page is known yet."""
        value, h, kind = self._out.value, loop.header, self._kind
        register = self._base(loop, group)
        if group.step is None:
            self._begin_look_up(loop, group, register)
        if group.align > 1:
            low = value(f"and {kind} {register}, {group.align - 1}")
            self._rare(value(f"icmp ne {kind} {low}, 0"), f"I{h}", self._new(loop))
        if group.stride:
            allowed = PAGE - 1 & -group.align
            odd = value(f"and {kind} {self._register(loop, group.stride)}, {~allowed}")
            self._rare(value(f"icmp ne {kind} {odd}, 0"), f"I{h}", self._new(loop))
        edge = value(f"load {kind}, ptr {_place(loop, group, 'edge')}")
        order = f"{register}, {edge}" if _goes_down(group) else f"{edge}, {register}"
        extent = f"{group.room + 1}"
        if enters:
            # volatile: in memory, since a loop has no host register to spare for it
            extent = value(f"load volatile {kind}, ptr {_place(loop, group, 'extent')}")
        other = value(f"icmp uge {kind} {value(f'sub {kind} {order}')}, {extent}")
        self._rare(other, away, self._new(loop))

    def _begin_look_up(self, loop: Loop, group: Group, register: str) -> None:
        """Load the addend from the TLB before anything is checked. The next node of a list is often
        in another page. Then its access waits for this load, so the load must come first: the host
        executes older instructions first. LLVM would move a load that is not volatile."""
        first = self._out.value(f"add {self._kind} {register}, {group.low}")
        entry = tlb_entry(self._out, self._offsets, self._address(first))
        self._out.put(f"  store ptr {entry}, ptr {_place(loop, group, 'entry')}")
        found = entry_field(self._out, self._offsets, entry, "addend", "load volatile")
        self._out.put(f"  store i64 {found}, ptr {_place(loop, group, 'found')}")

    def _check_moved(self, loop: Loop, group: Group, away: str) -> None:
        """Check a register that has moved on by less than a page since the last check."""
        register = self._base(loop, group)
        self._rare(self._is_beyond(loop, group, register), away, self._new(loop))

    def _is_beyond(self, loop: Loop, group: Group, register: str) -> str:
        """Whether a value is beyond the last one for which the accesses are in the page."""
        edge = self._out.value(f"load {self._kind}, ptr {_place(loop, group, 'edge')}")
        order = "ult" if _goes_down(group) else "ugt"
        return self._out.value(f"icmp {order} {self._kind} {register}, {edge}")

    def _look_up(self, loop: Loop, group: Group, label: str, on: str) -> None:
        """Take the page of a group from the TLB, and go on."""
        value, h, kind = self._out.value, loop.header, self._kind
        self._out.put(f"{label}:")
        register = self._base(loop, group)
        first = value(f"add {kind} {register}, {group.low}")
        has_begun = group.step is None
        start = value(f"and {kind} {first}, {-PAGE}")
        inside = value(f"and {kind} {first}, {PAGE - 1}")
        self._rare(value(f"icmp ugt {kind} {inside}, {group.room}"), f"I{h}", self._new(loop))
        near = f"ult {kind} {start}, {-TOP}" if _goes_down(group) else f"uge {kind} {start}, {TOP}"
        self._rare(value(f"icmp {near}"), f"I{h}", self._new(loop))
        page = self._address(start)
        if has_begun:
            entry = value(f"load ptr, ptr {_place(loop, group, 'entry')}")
        else:
            entry = tlb_entry(self._out, self._offsets, self._address(first))
        for name in _tags(group):
            tag = entry_field(self._out, self._offsets, entry, name)
            self._rare(value(f"icmp ne i64 {tag}, {page}"), f"I{h}", self._new(loop))
        if has_begun:
            addend = value(f"load i64, ptr {_place(loop, group, 'found')}")
        else:
            addend = entry_field(self._out, self._offsets, entry, "addend")
        self._out.put(f"  store i64 {addend}, ptr {_place(loop, group, 'addend')}")
        pages = self._further_pages(loop, group, start, addend, label) if _goes_far(group) else "0"
        more = value(f"sub {kind} 0, {pages}") if _goes_down(group) else pages
        edge = value(f"add {kind} {value(f'add {kind} {start}, {_edge(group)}')}, {more}")
        self._out.put(f"  store {kind} {edge}, ptr {_place(loop, group, 'edge')}")
        extent = value(f"add {kind} {pages}, {group.room + 1}")
        self._out.put(f"  store volatile {kind} {extent}, ptr {_place(loop, group, 'extent')}")
        self._out.put(f"  br label %{on}")

    def _further_pages(self, loop: Loop, group: Group, start: str, addend: str, label: str) -> str:
        """How many bytes after the page at `start`, or before it, have tags and the same addend."""
        value, put, kind = self._out.value, self._out.put, self._kind
        begin, again, found, end = (f"{mark}{label}" for mark in "XYZE")
        put(f"  br label %{begin}\n{begin}:\n  br label %{again}\n{again}:")
        put(f"  %{again}n = phi {kind} [0, %{begin}], [%{found}n, %{found}]")
        put(f"  %{found}n = add {kind} %{again}n, {PAGE}")
        move = "sub" if _goes_down(group) else "add"
        page = self._address(value(f"{move} {kind} {start}, %{found}n"))
        entry = tlb_entry(self._out, self._offsets, page)
        wanted = [(name, page) for name in _tags(group)] + [("addend", addend)]
        others = [
            value(f"icmp ne i64 {entry_field(self._out, self._offsets, entry, name)}, {like}")
            for name, like in wanted
        ]
        other = others[0]
        for one in others[1:]:
            other = value(f"or i1 {other}, {one}")
        put(f"  br i1 {other}, label %{end}, label %{found}\n{found}:")
        last = value(f"icmp eq {kind} %{found}n, {MORE * PAGE}")
        put(f"  br i1 {last}, label %{end}, label %{again}\n{end}:")
        return value(f"phi {kind} [%{again}n, %{again}], [%{found}n, %{found}]")


def address_of(out: Lines, kind: str, register: str) -> str:
    """The value of a register, of the type `kind`, as an address: in 64 bits."""
    return register if kind == "i64" else out.value(f"zext {kind} {register} to i64")


def tlb_entry(out: Lines, offsets: Mapping[str, int], address: str) -> str:
    """The entry of the TLB that an address may have."""
    index = out.value(f"and i64 {out.value(f'lshr i64 {address}, 12')}, {offsets['tlb_count'] - 1}")
    unit = f"[{offsets['tlb_size']} x i8]"
    place = out.value(f"getelementptr inbounds i8, ptr %hart, i64 {offsets['tlb']}")
    entries = out.value(f"load ptr, ptr {place}")
    return out.value(f"getelementptr inbounds {unit}, ptr {entries}, i64 {index}")


def entry_field(
    out: Lines, offsets: Mapping[str, int], entry: str, name: str, load: str = "load"
) -> str:
    """A field of an entry."""
    place = out.value(f"getelementptr inbounds i8, ptr {entry}, i64 {offsets['tlb_' + name]}")
    return out.value(f"{load} i64, ptr {place}")


def covered_prefix(loop: Loop, base: Base) -> str:
    """What the names of the locals of a group begin with."""
    return f"c{loop.header}_{base[0]}_{base[1]}_"


def _place(loop: Loop, group: Group, name: str) -> str:
    return f"%{covered_prefix(loop, group.base)}{name}"


def _goes_down(group: Group) -> bool:
    return group.step is not None and group.step < 0


def _goes_far(group: Group) -> bool:
    return bool(group.stride) or (group.step is not None and abs(group.step) >= FAR)


def _tags(group: Group) -> list[str]:
    """The tags of an entry that the accesses of a group need."""
    wanted = {"read_tag": group.loads, "write_tag": group.stores}
    return [name for name, needed in wanted.items() if needed]


def _edge(group: Group) -> int:
    """The edge for a page at 0."""
    return -group.low if _goes_down(group) else group.room - group.low
