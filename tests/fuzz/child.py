"""The process that runs trials. It reads the number of a trial from each line of its input, and
writes the trial's outcome."""

from __future__ import annotations

import faulthandler
import json
import signal
import sys
import traceback

from tests.fuzz.trial import Finding, Trials


def outcome(trials: Trials, number: int) -> dict[str, object]:
    """Run a trial; return its statistics or its finding."""
    try:
        return vars(trials.run(number))
    except Finding as finding:
        return {"finding": str(finding)}
    except BaseException:
        return {"finding": traceback.format_exc()}


def main() -> None:
    """Run trials until the input ends."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)
    trials = Trials(*sys.argv[1:])
    for line in sys.stdin:
        print(json.dumps(outcome(trials, int(line))), flush=True)


if __name__ == "__main__":
    main()
