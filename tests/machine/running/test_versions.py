"""Two machines in one process with different plugins or two versions of one plugin; a plugin that
is edited and loaded again; the functions that are compiled for a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from rvplat import Machine
from rvplat.engine.reference import Reference
from rvplat.errors import DefinitionError
from rvplat.gdb.target.registers import Registers
from rvplat.isa.machinery.disassemble import Disassembler
from rvplat.machine.boards import extensions as cores

START = 0x8000_0000
OPCODE = 0x0B  # custom-0
DO = 0x0073_028B  # do x5, x6, x7
READ_KEY = 0x8000_22F3  # csrr x5, 0x800
WRITE_KEY = 0x8003_1073  # csrw 0x800, x6
FACTORS = {"times": 3, "again": 7}

HEAD = """
from rvplat.hookspecs import hookimpl
from rvplat.isa.machinery.extension import Extension
from rvplat.isa.machinery.vocabulary import illegal, jump, load_u64, store_u64
from rvplat.lang import define, rotl, u32, u64

{name} = Extension("{name}", version="0.1", standing="draft", requires=("Zicsr",))

@hookimpl
def rvplat_extensions():
    return [{name}]
"""
BODY = """
{name}.csr(0x800, "{csr}", fields="LOW[7:0]", writable={writable:#x}, reset={reset})
{name}.state("{name}_count", u64)

@{name}.instruction("0000000 rs2 rs1 000 rd 0001011", "{word} rd, rs1, rs2")
def {word}(hart, rd, rs1, rs2):
    hart.{name}_count += 1
    hart.x[rd] = hart.x[rs1] * {factor} + hart.x[rs2] + hart.{csr}
"""


def plugin(folder: Path, body: str = BODY, name: str = "Xdo", **values: object) -> Path:
    """Write a plugin's file; `values` fill in BODY."""
    fields = {"csr": "dokey", "writable": 0xFF, "reset": 0, "word": "do", "factor": 3, **values}
    path = folder / f"{name.lower()}.py"
    path.write_text((HEAD + body).format(name=name, **fields))
    return path


def opened(*plugins: Path, words: tuple[int, ...] = (DO,), name: str = "Xdo") -> Machine:
    """A machine with plugins, at the start of a program of these words."""
    machine = Machine.open(
        "spike",
        settings={"harts.isa": f"rv64imac_zicsr_{name.lower()}", "harts.allow_draft": True},
        plugin_paths=plugins,
    )
    machine.memory.write(START, b"".join(word.to_bytes(4, "little") for word in words))
    machine.harts[0].pc = START
    return machine


def done(machine: Machine, a: int, b: int) -> int:
    """The result of the program's first instruction for two numbers."""
    hart = machine.harts[0]
    hart.pc, hart.x[6], hart.x[7] = START, a, b
    machine.run(max_instructions=1)
    return int(hart.x[5])


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Load native code from the cache folder, without that of earlier tests."""
    monkeypatch.setattr(cores, "_cores", {})
    yield


# --- two machines ---------------------------------------------------------------------------------


def test_two_versions_run_in_turns(tmp_path: Path) -> None:
    """The second was refused because the process had another plugin with its name."""
    path = plugin(tmp_path, factor=3)
    with opened(path) as old:
        plugin(tmp_path, factor=5, writable=0xFFFF)
        with opened(path) as new:
            for n in range(1, 4):
                assert (done(old, n, 1), done(new, n, 1)) == (3 * n + 1, 5 * n + 1)
            for machine in (old, new):
                machine.harts[0].set_csr("dokey", 0x1234)
            assert (done(old, 1, 0), done(new, 1, 0)) == (3 + 0x34, 5 + 0x1234)
            assert [m.harts[0].view.Xdo_count for m in (old, new)] == [4, 4]


def test_regions_are_made_of_a_plugin_s_new_text(tmp_path: Path) -> None:
    """The texts of the old version were taken from the cache."""
    path = plugin(tmp_path, factor=3)
    with opened(path) as old:
        before = old.core.region_tables([old.extensions])
    plugin(tmp_path, factor=5)
    with opened(path) as new:
        assert new.core.region_tables([new.extensions]) != before


def test_different_plugins_share_numbers_and_encodings(tmp_path: Path) -> None:
    one = plugin(tmp_path, csr="first", factor=3, reset=1)
    other = plugin(tmp_path, name="Xother", csr="second", word="other", factor=7, reset=2)
    with opened(one) as a, opened(other, name="Xother") as b:
        assert (done(a, 2, 0), done(b, 2, 0)) == (7, 16)
        assert [list(m.harts[0].csrs)[-1] for m in (a, b)] == ["first", "second"]
        texts = [Disassembler(m.extensions).text(DO) for m in (a, b)]
        assert texts == ["do t0, t1, t2", "other t0, t1, t2"]
        texts = [Disassembler(m.extensions).text(READ_KEY) for m in (a, b)]
        assert texts == ["csrrs t0, first, zero", "csrrs t0, second, zero"]
        assert (done(a, 2, 0), done(b, 2, 0)) == (7, 16)
    with pytest.raises(DefinitionError, match=r"second \(0x800\) has the number of first"):
        opened(one, other)


def test_gdb_gets_the_description_of_its_machine(tmp_path: Path) -> None:
    """The versions have CSRs with the same number, but other names and fields."""
    path = plugin(tmp_path, BODY.replace("LOW[7:0]", "MIDDLE[7:4]"), csr="first")
    with opened(path) as old:
        plugin(tmp_path, BODY.replace("LOW[7:0]", "HIGH[15:8]"), csr="second")
        with opened(path) as new:
            found = []
            for machine in (old, new):
                registers = Registers(machine)
                text = "".join(registers.layout.annexes.values())
                found.append([w for w in ("first", "second", "MIDDLE", "HIGH") if f'"{w}"' in text])
                hart = machine.harts[0]
                hart.x[6], hart.x[7] = 1, 1
                machine.step()
            assert found == [["first", "MIDDLE"], ["second", "HIGH"]]


def test_a_machine_without_the_plugin_traps(tmp_path: Path) -> None:
    with opened(plugin(tmp_path)) as one, Machine.open("spike") as other:
        assert done(one, 1, 1) == 4
        other.memory.write(START, DO.to_bytes(4, "little"))
        other.harts[0].pc = START
        other.step()
        assert other.harts[0].csr("mcause") == 2
        assert done(one, 1, 1) == 4


def test_the_reference_runs_the_version_of_its_machine(tmp_path: Path) -> None:
    """Compare the version's instruction and CSR with native code."""
    words = (WRITE_KEY, DO, READ_KEY)
    path = plugin(tmp_path, factor=3, writable=0xFF)
    with opened(path, words=words) as old:
        plugin(tmp_path, factor=5, writable=0xF0)
        with opened(path, words=words) as new:
            for machine in (old, new):
                hart = machine.harts[0]
                found = []
                for run in (lambda m: m.run(max_instructions=3), by_reference):
                    hart.pc, hart.x[6], hart.x[7] = START, 0x1FF, 2
                    hart.set_csr("dokey", 0)
                    run(machine)
                    found.append((hart.pc, hart.x[5], hart.csr("dokey")))
                assert found[0] == found[1]
            assert (old.harts[0].x[5], new.harts[0].x[5]) == (0xFF, 0xF0)


def by_reference(machine: Machine) -> None:
    Reference(machine.extensions).run(machine.harts[0].view, 3)


# --- edited and opened again ----------------------------------------------------------------------


def test_an_edit_takes_effect(tmp_path: Path) -> None:
    for factor in (3, 5, 7, 3):
        with opened(plugin(tmp_path, factor=factor)) as machine:
            assert done(machine, 10, 1) == 10 * factor + 1


def test_an_edit_can_take_things_away(tmp_path: Path) -> None:
    with opened(plugin(tmp_path)) as machine:
        assert "dokey" in machine.harts[0].csrs
    body = BODY.replace("+ hart.{csr}", "").replace("{name}.csr(", "# ")
    with opened(plugin(tmp_path, body)) as machine:
        assert "dokey" not in machine.harts[0].csrs
        assert "dokey" not in machine.core.architecture.layout.fields
        assert done(machine, 2, 1) == 7


def test_native_code_of_old_versions_is_given_up(tmp_path: Path) -> None:
    for factor in range(12):
        opened(plugin(tmp_path, factor=factor)).close()
    assert len(cores._cores) <= 8


# --- compiled functions ---------------------------------------------------------------------------


def test_only_the_plugins_functions_are_compiled(tmp_path: Path) -> None:
    """If the shipped code is in the cache, only a plugin's functions are compiled, once."""
    Machine.open("spike").close()
    body = f"{BODY}# {uuid4()}: no cache has it\n"
    with opened(plugin(tmp_path, body)) as machine:
        compiled = machine.core.compiled
        assert list(compiled) == ["Xdo"]
        assert sorted(compiled["Xdo"]) == [
            "csr.read.0x800", "csr.write.0x800", "d.access", "d.access.2", "fast.do.4",
        ]  # fmt: skip
    cores._cores.clear()
    with opened(plugin(tmp_path, body)) as machine:
        assert machine.core.compiled == {}, "it is in the cache now"
    cores._cores.clear()
    with opened(plugin(tmp_path, body, factor=5)) as machine:
        assert list(machine.core.compiled) == ["Xdo"]
        assert done(machine, 2, 1) == 11


def test_another_plugin_is_not_compiled_again(tmp_path: Path) -> None:
    one, other = (
        plugin(tmp_path, name=name, csr=f"key{n}", word=f"w{n}", factor=93 + n)
        for n, name in enumerate(("Xone", "Xtwo"))
    )
    two = other.read_text().replace("0x800", "0x801").replace('"0000000 ', '"0000001 ')
    other.write_text(two)
    for file in (one, other):
        file.write_text(f"{file.read_text()}# {uuid4()}: no cache has it\n")
    with opened(one, other, name="Xone") as machine:
        assert list(machine.core.compiled) == ["Xone", "Xtwo"]
    other.write_text(other.read_text().replace("* 94", "* 95"))
    with opened(one, other, name="Xtwo", words=(DO | 1 << 25,)) as machine:
        assert list(machine.core.compiled) == ["Xtwo"]
        assert done(machine, 2, 1) == 191


# --- what a plugin's code calls in the code of what ships -----------------------------------------

CALLS = '''
@{name}.instruction("0000000 rs2 rs1 000 rd 0001011", "do rd, rs1, rs2")
def do(hart, rd, rs1, rs2):
    """Swap memory and a register; a jump if they are alike, illegal if the address is 0."""
    if hart.x[rs1] == 0:
        illegal(hart)
    old = load_u64(hart, hart.x[rs1])
    store_u64(hart, hart.x[rs1], hart.x[rs2])
    hart.x[rd] = old
    if old == hart.x[rs2]:
        jump(hart, u64({target:#x}))
'''


def test_memory_traps_and_jumps(tmp_path: Path) -> None:
    data, target = START + 0x1000, START + 0x100
    with opened(plugin(tmp_path, CALLS, target=target)) as machine:
        hart = machine.harts[0]
        assert [s for s in machine.core.compiled.get("Xdo", ()) if "mmu" in s] == []
        hart.set_csr("mtvec", START + 0x200)
        machine.memory.write(data, (77).to_bytes(8, "little"))
        assert (done(machine, data, 99), hart.pc) == (77, START + 4)
        assert machine.memory.read(data, 8) == (99).to_bytes(8, "little")
        assert (done(machine, data, 99), hart.pc) == (99, target)
        for address, cause, tval in ((0, 2, DO), (0x4000_0000, 5, 0x4000_0000)):
            done(machine, address, 99)
            causes = hart.csr("mcause"), hart.csr("mtval"), hart.csr("mepc"), hart.pc
            assert causes == (cause, tval, START, START + 0x200)
        hart.set_csr("satp", 0)
        assert done(machine, data, 5) == 99


GUARDED = """
@define
def may(hart, write: bool, number: u32):
    if hart.locked != 0:
        illegal(hart)

@define
def get(hart, number: u32) -> u64:
    if hart.dokey == 13:
        illegal(hart)
    return hart.dokey + u64(number)

@define
def put(hart, value: u64, number: u32):
    hart.dokey = value
    if value == 99:
        jump(hart, u64({target:#x}))

{name}.csr(0x800, "dokey", read=get, write=put, access=may)
{name}.csr(0xCC0, "fixed", read=get, storage=False)
{name}.state("locked", u64)
"""


@pytest.mark.parametrize("how", ["native", "reference"])
def test_csrs_with_definitions_of_their_own(tmp_path: Path, how: str) -> None:
    target = START + 0x100
    read_fixed, write_fixed = 0xCC00_22F3, 0xCC03_1073
    words = (WRITE_KEY, READ_KEY, read_fixed, write_fixed)
    reference = None
    with opened(plugin(tmp_path, GUARDED, target=target), words=words) as machine:
        hart = machine.harts[0]
        if how == "reference":
            reference = Reference(machine.extensions)

        def run(at: int, value: int = 0) -> tuple[int, int]:
            """The next pc relative to START, and x5 or the cause of a trap."""
            hart.pc, hart.x[6], hart.x[5] = START + 4 * at, value, 0
            hart.set_csr("mcause", 0)
            if reference is not None:
                reference.run(hart.view, 1)
            else:
                machine.run(max_instructions=1)
            return hart.pc - START, int(hart.x[5] or hart.csr("mcause"))

        hart.set_csr("mtvec", START + 0x200)
        assert run(0, 5) == (4, 0)
        assert run(1) == (8, 0x805)
        assert run(2) == (12, 0xCC5)
        assert run(3, 1) == (0x200, 2), "its number is read-only"
        assert run(0, 99) == (0x100, 0), "a write may jump"
        assert run(0, 13) == (4, 0)
        assert run(1) == (0x200, 2), "a read may trap"
        with pytest.raises(LookupError, match="dokey can't be read now"):
            hart.csr("dokey")
        hart.view.locked = 1
        assert run(0, 5) == (0x200, 2), "its condition of access"
        assert hart.view.dokey == 13
