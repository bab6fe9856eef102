"""The process that trials run in: a number a line comes in, what became of the trial goes out."""

from __future__ import annotations

import faulthandler
import json
import signal
import sys
import traceback

from tests.fuzz.trial import Finding, Trials


def outcome(trials: Trials, number: int) -> dict[str, object]:
    """Of a trial: its statistics, or what it found."""
    try:
        return vars(trials.run(number))
    except Finding as finding:
        return {"finding": str(finding)}
    except BaseException:
        return {"finding": traceback.format_exc()}


def main() -> None:
    """Until the input ends."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    trials = Trials(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(outcome(trials, int(line))), flush=True)


if __name__ == "__main__":
    main()
