"""`--rvplat-coverage`, in one process and with the workers of xdist."""

from __future__ import annotations

import pytest

from rvplat.coverage.ran import Coverage
from rvplat.guests import demo_elf, hypervisor_elf

pytest_plugins = ["pytester"]

TESTS = """
import pytest

def to_text(machine):
    machine.start()
    machine.console.expect("Running:", timeout_s=60)

@pytest.mark.rvplat(program="demo", boot=to_text)
def test_boots(machine):
    machine.run(max_instructions=100)

@pytest.mark.rvplat(program="demo", boot=to_text)
def test_again(machine):
    assert machine.run(timeout_s=60).reason == "off"

@pytest.mark.rvplat(program="hypervisor")
def test_fails(machine):
    machine.run(timeout_s=60)
    assert 0
"""


def test_all_machines_of_xdists_workers_are_in_the_file(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    done = pytester.runpytest_subprocess(
        "-n", "2", "-p", "no:hypothesispytest", "--rvplat-coverage", "all.json",
        "--rvplat-coverage", "all.info",
    )  # fmt: skip
    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(["*coverage written to *all.json"])
    found = Coverage.read(pytester.path / "all.json")
    programs = {one.path for _, every in found.ran for one in every}
    assert {str(demo_elf()), str(hypervisor_elf())} <= programs
    assert found.worlds() == ["host", "vmid_1", "vmid_2"]
    (demo,) = (pages for (_, one), pages in found.ran.items() if one[0].path == str(demo_elf()))
    assert sum(bits.bit_count() for bits in demo.values()) > 1000
    assert "TN:vmid_2" in (pytester.path / "all.info").read_text()


def test_one_process_writes_what_a_failed_test_executed(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    done = pytester.runpytest_subprocess(
        "-k", "fails", "-p", "no:hypothesispytest", "--rvplat-coverage", "all.json"
    )
    done.assert_outcomes(failed=1, deselected=2)
    assert len(Coverage.read(pytester.path / "all.json").addresses("vmid_2")) > 500


def test_a_wrong_file_is_told_at_once(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    done = pytester.runpytest_inprocess("--rvplat-coverage", "all.csv")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(["*--rvplat-coverage *all.csv: what .csv is for is unknown*"])


def test_a_file_that_cannot_be_written_at_the_end_fails_the_session(
    pytester: pytest.Pytester,
) -> None:
    pytester.mkdir("out")
    pytester.makepyfile("def test_removes(): __import__('os').rmdir('out')")
    done = pytester.runpytest_inprocess("--rvplat-coverage", "out/all.json")
    done.assert_outcomes(passed=1)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(
        ["rvplat: the coverage is not written: *all.json: there is no folder *out"]
    )
