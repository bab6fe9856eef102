"""`--rvplat-coverage`: what the machines of all tests executed, in one file.

With xdist each worker sends what its machines executed to the controller, which writes the files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rvplat.coverage.ran import Coverage

OPTION = "--rvplat-coverage"
SENT = "rvplat_coverage"  # in what a worker of xdist sends at its end


class CoverageFiles:
    """Collects the coverage of a session, and writes it at the end."""

    name = "rvplat-coverage"

    def __init__(self, paths: list[Path]) -> None:
        from rvplat.coverage.ran import Coverage

        self._paths = paths
        self._said: list[str] = []
        self.coverage = Coverage()

    @classmethod
    def of(cls, config: pytest.Config) -> CoverageFiles | None:
        """The session's, or None without the option."""
        found: CoverageFiles | None = config.pluginmanager.getplugin(cls.name)
        return found

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker of xdist has ended."""
        from rvplat.coverage.ran import Coverage

        sent = getattr(node, "workeroutput", {}).get(SENT)
        if sent is None:
            self._said.append(f"the coverage of worker {node.gateway.id} is lost: {error}")
        else:
            self.coverage.merge(Coverage.of(json.loads(sent), f"worker {node.gateway.id}"))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the coverage to xdist's controller, or write the files."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[SENT] = self.coverage.to_json()
            return
        if not self._write(self.coverage) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write(self, coverage: Coverage) -> bool:
        """Whether all files could be written."""
        from rvplat.coverage.files import Writer
        from rvplat.errors import CoverageError

        writer = Writer(coverage)
        complete = True
        for path in self._paths:
            try:
                writer.write(path)
                self._said.append(f"coverage written to {path}")
            except CoverageError as error:
                self._said.append(f"the coverage is not written: {error}")
                complete = False
        self._said += writer.problems
        return complete

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was written, and what is left out."""
        for line in self._said:
            terminalreporter.write_line(f"rvplat: {line}")


def begin_coverage(config: pytest.Config) -> None:
    """Collect coverage, if the option is there.

    Raises:
        pytest.UsageError: it can't be written where the option says.
    """
    given = config.getoption(OPTION)
    if not given:
        return
    from rvplat.coverage.files import check_target
    from rvplat.errors import CoverageError

    paths = [config.invocation_params.dir / one for one in given]
    try:
        for path in paths:
            check_target(path)
    except CoverageError as error:
        raise pytest.UsageError(f"{OPTION} {error}") from None
    config.pluginmanager.register(CoverageFiles(paths), CoverageFiles.name)
