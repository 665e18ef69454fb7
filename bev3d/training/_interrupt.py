"""Ctrl-C and SIGTERM: the step is finished and a checkpoint written before the run ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stop", "TrainingInterrupted", "watched_signals"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class TrainingInterrupted(KeyboardInterrupt):
    """A run that was asked to stop, and did so with a checkpoint to go on from.

    Attributes:
        signal: what asked.
        status: the exit status that a shell expects: 130 for Ctrl-C, 143 for SIGTERM.
    """

    def __init__(self, signum: int, text: str) -> None:
        super().__init__(text)
        self.signal = signal.Signals(signum)
        self.status = 128 + signum


class Stop:
    """Whether a signal came; the second one ends the run at once.

    Attributes:
        signum: what this process got; 0 for nothing.
        agreed: what all processes of the run stop for, so that none of them stops alone.
    """

    def __init__(self) -> None:
        self.signum = self.agreed = 0

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """Take in a signal."""
        if self.signum:
            raise KeyboardInterrupt
        self.signum = signum

    def flags(self) -> list[float]:
        """One number a signal, which processes can add up."""
        return [float(self.signum == one) for one in SIGNALS]

    def decide(self, flags: Sequence[float]) -> None:
        """Take in the sum of the flags of all processes."""
        for one, flag in zip(SIGNALS, flags, strict=True):
            if flag:
                self.agreed = one


@contextmanager
def watched_signals() -> Iterator[Stop]:
    """Within it signals are noted and not acted on; outside the main thread, where they cannot be, nothing changes."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {one: signal.getsignal(one) for one in SIGNALS}
    ignored = (signal.SIG_IGN, None)  # None: not set from Python, and not to be put back by it
    before = {one: handler for one, handler in before.items() if handler not in ignored}
    for one in before:
        signal.signal(one, stop)
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
