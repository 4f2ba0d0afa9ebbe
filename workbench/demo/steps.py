"""Progress as lines: what is done, how long it took, what was found."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


class Step:
    """What one step found, to be told at its end."""

    detail = ""

    def tell(self, detail: str) -> None:
        self.detail = detail


class Steps:
    """Tells each step as it begins, and what it found and its time as it ends."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._total = total
        self._number = 0
        self._out = out

    @contextmanager
    def __call__(self, title: str) -> Iterator[Step]:
        self._number += 1
        print(f"{self._number:>2}/{self._total}  {title:<30}", end="", file=self._out, flush=True)
        begun, step = time.perf_counter(), Step()
        try:
            yield step
        except BaseException:
            print(" failed", file=self._out, flush=True)
            raise
        print(f" {time.perf_counter() - begun:6.1f} s  {step.detail}", file=self._out, flush=True)

    def say(self, text: str) -> None:
        """Print something beside the steps."""
        print(text, file=self._out, flush=True)
