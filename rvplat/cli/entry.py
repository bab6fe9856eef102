"""The entry point of the command `rvplat`. From its first line on, Ctrl-C prints one line and ends
the process (interrupts.py)."""

import gc

from rvplat.cli import interrupts

interrupts.end_at_once()


def main() -> int:
    """Run the command `rvplat`; return its exit status."""
    from rvplat.cli.main import main as run

    status = run()
    interrupts.end_at_once()  # no traceback while the interpreter ends either
    gc.freeze()  # the interpreter looks for garbage at its end, for 0.2 s after a boot
    return status
