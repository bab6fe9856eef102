"""What notebooks show of machines and what they return."""

from __future__ import annotations

from html.parser import HTMLParser

from rvplat import Machine
from rvplat.tables import html_table
from tests.machine.small_guests import HELLO, guest


class Cells(HTMLParser):
    """Reads the cells; every tag that is opened must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data


def cells(thing: object) -> list[str]:
    shown: str = thing._repr_html_()  # type: ignore[attr-defined]
    return Cells(shown).cells


def test_text_is_escaped() -> None:
    found = html_table("<b>", ("a&b",), [("<script>",)])
    assert "<script>" not in found
    assert {"<b>", "a&b", "<script>"} <= set(Cells(found).cells)


def test_a_machine_and_what_it_returns() -> None:
    with Machine.open("virt", program=guest(HELLO), memory="64M") as machine:
        machine.step(2)
        hart = machine.harts[0]
        assert {"machine virt, stopped", "M", f"{hart.pc:#x}", "uart0", "ns16550a"} <= {
            *cells(machine)
        }
        assert {"mode M", f"pc {hart.pc:#x}", "instret 2", f"t0 {hart.x['t0']:#x}"} <= {
            *cells(hart)
        }
        said = cells(machine.explain(0x8000_0000, "fetch"))
        assert {"fetch of 0x80000000 in M mode, host", "physical 0x80000000, PMP rwx"} <= {*said}
        machine.run(timeout_s=60)
        total = str(machine.statistics().instructions)
        assert total in cells(machine.statistics())
        machine.start()
        assert "machine virt, running" in cells(machine)
        assert "hart 0, running" in cells(hart)
        machine.pause()
    assert "machine virt, closed" in cells(machine)


def test_a_walk_has_a_row_for_each_entry() -> None:
    with Machine.open("virt", program=guest(HELLO), memory="64M") as machine:
        hart, table = machine.harts[0], 0x8010_0000
        machine.memory.write_int(table + 2 * 8, 8, 0x8000_0000 >> 2 | 0xCF)
        hart.set_csr("satp", 8 << 60 | table >> 12)
        explanation = machine.explain(0x8000_0000, "load", mode="HS")
        assert f"{table + 16:#x}" in cells(explanation)
        assert str(explanation).splitlines()[-1] in cells(explanation)
