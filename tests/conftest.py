"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Signals reach the programs that tests start. Who runs the tests in the background may have
    had SIGINT or SIGHUP (nohup) ignored, which programs inherit."""
    for number, default in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, default)
