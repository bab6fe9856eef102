"""Where the command `rvplat` begins. From the first line on Ctrl-C is one line (interrupts.py)."""

from rvplat.cli import interrupts

interrupts.end_at_once()


def main() -> int:
    """The command `rvplat`; its exit status."""
    from rvplat.cli.main import main as run

    status = run()
    interrupts.end_at_once()  # what the interpreter does at its end is not interrupted either
    return status
