"""Small requests of one moment become one append: what waits while the rows before are on their way to the disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from workbench.errors import RowError
from workbench.storage.added import defaults
from workbench.values import coerce

if TYPE_CHECKING:
    from workbench.storage import Receipt, Storage, StoredTable
    from workbench.storage.log import Append


@dataclass
class _Waiting:
    """The rows of a table that wait, and who waits for them: a future and how many of the rows are its own."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    answers: list[tuple[asyncio.Future[tuple[int, int] | None], int]] = field(default_factory=list)
    under_way: bool = False


class Coalescer:
    """Appends rows of several requests at once; it belongs to the event loop.

    An append is under way for at most one batch of a table; a request that finds none goes at once.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._tables: dict[tuple[int, int], _Waiting] = {}

    async def add(self, table: StoredTable, rows: list[dict[str, Any]]) -> tuple[int, int] | None:
        """Store rows that :meth:`fitting` returned; the first and last seq of these rows, None to store them alone."""
        waiting = self._tables.setdefault(_key(table), _Waiting())
        answer: asyncio.Future[tuple[int, int] | None] = asyncio.get_running_loop().create_future()
        waiting.rows += rows
        waiting.answers.append((answer, len(rows)))
        if not waiting.under_way:
            waiting.under_way = True
            asyncio.get_running_loop().call_soon(self._send, table, waiting)
        return await answer

    def _send(self, table: StoredTable, waiting: _Waiting) -> None:
        loop = asyncio.get_running_loop()
        answers, rows = waiting.answers, waiting.rows
        waiting.answers, waiting.rows = [], []
        if not answers:
            waiting.under_way = False
            self._tables.pop(_key(table), None)
            return

        def finished(append: Append) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
                loop.call_soon_threadsafe(self._done, table, waiting, answers, append.outcome)

        try:
            begun = self._storage.begin_append(table, coerce.from_rows(table.columns, rows), on_done=finished)
        except Exception as error:  # whatever it is, nobody may wait for ever
            failed = error

            def outcome() -> Receipt:
                raise failed

            loop.call_soon(self._done, table, waiting, answers, outcome)
        else:
            if not begun:
                loop.call_soon(self._done, table, waiting, answers, None)

    def _done(
        self,
        table: StoredTable,
        waiting: _Waiting,
        answers: list[tuple[asyncio.Future[tuple[int, int] | None], int]],
        outcome: Callable[[], Receipt] | None,
    ) -> None:
        try:
            seq = outcome().first_seq if outcome is not None else None
        except RowError:
            seq = None  # alone, each request hears about its own rows
        except BaseException as error:
            for answer, _ in answers:
                if not answer.done():
                    answer.set_exception(error)
            answers = []
        for answer, count in answers:
            if not answer.done():
                answer.set_result(None if seq is None else (seq, seq + count - 1))
            if seq is not None:
                seq += count
        self._send(table, waiting)


def _key(table: StoredTable) -> tuple[int, int]:
    """Rows lie together when they have the same columns; a table gets further ones, but never loses any."""
    return table.id, len(table.columns)


def fitting(table: StoredTable, rows: list[Any]) -> list[dict[str, Any]] | None:
    """Return the rows with exactly the table's columns when nothing about them can be wrong, else None.

    Raises
    ------
    RowError
        For a value that a column cannot hold.
    """
    if (
        table.id_column is not None
        or table.checks is not None
        or not rows
        or (table.time and table.columns[table.time] != "TIMESTAMP")
    ):
        return None
    convert = coerce.row_coercer(table.columns, defaults=defaults(table))
    found = [convert(row, index) for index, row in enumerate(rows)]
    if table.time is not None:
        now = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=1)
        times = [row[table.time] for row in found]
        if not all(time is not None and time <= now for time in times):
            return None  # the append decides, and says why
    return found
