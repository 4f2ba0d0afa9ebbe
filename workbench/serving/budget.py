"""How many bytes of rows a worker holds at once: what does not fit is refused before it is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from workbench.serving.problems import Problem

#: What one caller may have of it, so that others find room.
SHARE = 0.5
UNKNOWN_BYTES = (
    64 << 10
)  # of a body that does not tell its length: what a server buffers before anybody reads
_RETRY = {"Retry-After": "1"}


class Budget:
    """Bytes that requests hold; it belongs to the event loop.

    Parameters
    ----------
    limit
        All of them.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: dict[str, int] = {}

    @contextmanager
    def hold(self, caller: str, size: int | None) -> Iterator[Held]:
        """Hold the bytes of one request.

        Parameters
        ----------
        caller
            Whose share they take.
        size
            The length of the body, None where it is not known before.

        Raises
        ------
        Problem
            429 when the caller has more than its share already, 503 when there is no room at all.
        """
        held = Held(self, caller)
        try:
            held.grow(UNKNOWN_BYTES if size is None else size)
            yield held
        finally:
            held.release()

    def take(self, caller: str, more: int) -> None:
        """Take bytes for a caller, or raise; whoever holds nothing may take as much as there is."""
        own, total = self._held.get(caller, 0), sum(self._held.values())
        if own and own + more > self._limit * SHARE:
            detail = "this key has as many rows under way as one key may have; wait for answers before you send more"
            raise Problem(429, "throttled", detail, headers=_RETRY)
        if total and total + more > self._limit:
            detail = f"this worker holds {total:,} bytes of rows that are not stored yet; try again"
            raise Problem(503, "unavailable", detail, headers=_RETRY)
        self._held[caller] = own + more

    def give_back(self, caller: str, size: int) -> None:
        """Return bytes."""
        left = self._held.pop(caller, 0) - size
        if left > 0:
            self._held[caller] = left


class Held:
    """The bytes of one request."""

    def __init__(self, budget: Budget, caller: str) -> None:
        self._budget = budget
        self._caller = caller
        self._size = 0

    def grow(self, size: int) -> None:
        """Hold at least ``size`` bytes from now on; see :meth:`Budget.hold`."""
        if size > self._size:
            self._budget.take(self._caller, size - self._size)
            self._size = size

    def release(self) -> None:
        """Hold nothing any more."""
        self._budget.give_back(self._caller, self._size)
        self._size = 0
