"""One piece of work in a thread, so that the kernel stays free: progress, end, failure."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Outcome = TypeVar("Outcome")
Progress = Callable[[str, float], None]

SECONDS_BETWEEN_UPDATES = 0.1


def start(
    work: Callable[[Progress], Outcome],
    *,
    progress: Progress,
    done: Callable[[Outcome], None],
    failed: Callable[[BaseException], None],
) -> threading.Thread:
    """Run ``work`` in a daemon thread and return the thread.

    Parameters
    ----------
    work
        Gets a callback ``(step, share)``; what it returns goes to ``done``, what it raises to ``failed``.
    progress
        Called with the step's name and its share (0 to 1), at most ten times a second per step.
    """

    def run() -> None:
        try:
            outcome = work(throttled(progress))
        except BaseException as error:  # the thread has nobody to raise to: the user must see it
            logging.getLogger(__name__).debug("work in the notebook failed", exc_info=True)
            failed(error)
        else:
            done(outcome)

    thread = threading.Thread(target=run, name="workbench-cell", daemon=True)
    thread.start()
    return thread


def throttled(progress: Progress) -> Progress:
    """Pass on new steps and ends at once, everything else at most ten times a second."""
    last_step, last_time = "", 0.0

    def pass_on(step: str, share: float) -> None:
        nonlocal last_step, last_time
        now = time.monotonic()
        if step == last_step and share < 1 and now - last_time < SECONDS_BETWEEN_UPDATES:
            return
        last_step, last_time = step, now
        progress(step, share)

    return pass_on
