"""The pytest plugin, used as its users do: each test here runs tests of a small project."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

BOOT = """
import pytest

def to_run(machine):
    print("BOOTS")
    machine.start()
    machine.console.expect("Running:", timeout_s=60)

pytestmark = pytest.mark.rvplat(program="demo", boot=to_run)
"""
PROGRAM = """
.globl _start
_start:
  j _start
"""


def test_a_machine_is_opened_as_the_closest_mark_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.rvplat(program="demo", settings={"memory.ram.size": 1 << 26})
        seen = []

        @pytest.mark.rvplat(harts=2, settings={"harts.regions": "off"})
        class TestTwo:
            def test_class(self, machine):
                seen.append(machine)
                assert len(machine.harts) == 2 and machine.board.harts.regions == "off"
                assert machine.board.memory["ram"].size == 1 << 26
                assert machine.board.general.clock == "virtual"

            @pytest.mark.rvplat(harts=1, settings={"clock": "host"})
            def test_function(self, machine):
                assert seen[0].closed
                assert len(machine.harts) == 1 and machine.board.general.clock == "host"

        def test_ini_and_factory(machines):
            one, two = machines(), machines(harts=4)
            assert one is not two
            assert (len(one.harts), len(two.harts)) == (3, 4)
        """
    )
    pytester.makeini("[pytest]\nrvplat_harts = 3\nrvplat_settings =\n  harts.regions = hot\n")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=3)


def test_boards_and_isa_strings_make_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.rvplat(program="demo")

        @pytest.mark.rvplat(board=["virt", "spike"], isa=["rv64imafdcbvh", "rv64gc"])
        def test_isa(machine, request):
            assert machine.board.name == "virt" and len(machine.harts) == 2
            assert machine.board.harts.isa == request.node.name[9:-1]
        """
    )
    found = pytester.runpytest_inprocess("--collect-only", "-q")
    found.stdout.fnmatch_lines(
        ["*test_isa[[]virt-rv64imafdcbvh]", "*[[]virt-rv64gc]", "*[[]spike-rv64imafdcbvh]"]
    )
    done = pytester.runpytest_inprocess("--rvplat-board=virt", "--rvplat-set=harts.count=2", "-v")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*test_isa[[]rv64imafdcbvh]*", "*test_isa[[]rv64gc]*"])


def test_each_test_begins_from_the_booted_snapshot(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        BOOT
        + """
seen = set()

@pytest.mark.parametrize("n", range(4))
def test_fresh(machine, n, capsys):
    at = machine.harts[0].instret
    seen.add(at)
    assert len(seen) == 1
    assert machine.memory.read(0x8f00_0000, 1) == b"\\0"
    machine.memory.write(0x8f00_0000, b"x")
    machine.breakpoints.add(machine.harts[0].pc + 4)
    machine.breakpoints.clear() if n else None
    machine.start()
    if n:
        assert machine.console.expect(r"primes\\s+(\\d+)", timeout_s=60)[1] == "9592"

def test_two_at_once(machines):
    one, two = machines(), machines()
    assert one.harts[0].instret == two.harts[0].instret and one is not two
"""
    )
    done = pytester.runpytest_inprocess("-rP", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=5)
    assert done.stdout.str().count("BOOTS\n") == 1


def test_workers_share_a_boot(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        BOOT.replace('print("BOOTS")', 'open("boots", "a").write("x")')
        + """
@pytest.mark.parametrize("n", range(4))
def test_fresh(machine, n):
    machine.start()
    machine.console.expect("Powering off", timeout_s=60)
"""
    )
    done = pytester.runpytest_subprocess("-n", "2", "-p", "no:hypothesispytest")
    done.assert_outcomes(passed=4)
    assert (pytester.path / "boots").read_text() == "x"


def test_a_boot_that_fails_is_not_tried_again(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        BOOT.replace('"Running:"', '"never"')
        + """
def test_one(machine): pass
def test_two(machine): pass
"""
    )
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    done.assert_outcomes(errors=2)
    done.stdout.fnmatch_lines(
        [
            "E *TimeoutError: no match for 'never' from the guest: the machine stopped: the guest "
            "powered the machine off; it wrote",
            "E *BootFailed: to_run failed in an earlier test: no match for 'never' *",
        ]
    )


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("progam='x'", "@pytest.mark.rvplat: progam is no argument of a machine; did you mean"),
        ("'virt'", "@pytest.mark.rvplat('virt'): name it, as in board='virt'"),
        ("boot=1", "@pytest.mark.rvplat: boot=1: expected a function that gets the machine"),
        ("program='none.elf'", "none.elf: "),
    ],
)
def test_a_wrong_mark_says_so(pytester: pytest.Pytester, mark: str, message: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.rvplat({mark})\ndef test_it(machine): pass\n")
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert message in done.stdout.str() + done.stderr.str()
    assert done.ret != 0


def test_a_run_without_machines_imports_nothing() -> None:
    code = """
import sys, pytest, rvplat.testing.plugin
found = sorted(n for n in sys.modules if n.startswith(("rvplat", "llvmlite", "lief")))
assert found == ["rvplat", "rvplat.testing", "rvplat.testing.plugin"], found
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rvplat_is_not_rewritten(pytester: pytest.Pytester) -> None:
    """pytest marks all modules of an installed plugin's distribution."""
    pytester.makeconftest("import pytest; pytest.register_assert_rewrite('rvplat.cache')")
    pytester.makepyfile(
        """
        def test_it():
            import rvplat.cache
            assert type(rvplat.cache.__spec__.loader).__name__ == "SourceFileLoader"
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:hypothesispytest")
    done.assert_outcomes(passed=1)
