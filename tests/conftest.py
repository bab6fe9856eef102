"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Ctrl-C reaches the programs that tests start. Whoever runs the tests in the background may
    have had SIGINT ignored, which programs inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
