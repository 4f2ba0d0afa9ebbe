"""The engine that answers requests: in process, in the check and in the server."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa

from workbench.catalog.expiry import answers_from
from workbench.errors import RowError
from workbench.online.compiled.drivers import CompiledDrivers, Driver
from workbench.online.compiled.intake import Intake, intake
from workbench.online.reference import LEFT_OUT_BELOW, ReferenceDriver
from workbench.plan.failures import failure
from workbench.plan.model import FeaturePlan
from workbench.storage import Storage
from workbench.storage.arrays import int64_array
from workbench.values.coerce import row_coercer
from workbench.values.types import arrow_schema

FILTERED = "the row does not satisfy the view's WHERE"
FILTERED_BELOW = "the row does not satisfy the WHERE of what the view reads from"

_EPOCH = datetime(1970, 1, 1)

#: How far ahead of the server's clock a request's time may be.
TOLERANCE = timedelta(minutes=5)


class Answer(msgspec.Struct, frozen=True):
    """The answer to one request row.

    Exactly one of ``features``, ``reason`` (why there are none) and ``error`` is set. ``as_of`` is the time the row was
    answered at (UTC), ``last_seq`` the last arrival that was known.
    """

    features: dict[str, Any] | None
    reason: str | None
    error: RowError | None
    as_of: datetime
    last_seq: int


@dataclass(frozen=True)
class _Prepared:
    """A request row with every column, and its arrival number where it is a stored row."""

    row: dict[str, Any]
    seq: int | None


class Engine:
    """Answers requests of one plan; thread-safe.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The plan; the indexes of :func:`workbench.online.index_needs` must exist.

    Examples
    --------
    >>> engine = Engine(storage, plan)                                     # doctest: +SKIP
    >>> engine.request([{"card_id": 7, "amount": 12.5}])[0].features       # doctest: +SKIP
    {'txn_cnt_7d': 3}
    """

    def __init__(self, storage: Storage, plan: FeaturePlan) -> None:
        self.storage = storage
        self.plan = plan
        self._names = list(plan.features)
        self._columns = plan.request_columns
        self._time = plan.base.time
        self._schema = arrow_schema(self._columns)
        required = [name for name in self._columns if name != self._time]
        table = storage.table(plan.table)
        self._required = required
        self._coerced_columns = table.columns
        self._coerce = row_coercer(table.columns, required=required)
        self._id, self._ids = table.id_column, storage.ensure_ids(table)
        self._idle: queue.SimpleQueue[ReferenceDriver] = queue.SimpleQueue()
        self._pid = os.getpid()
        self._compiled = CompiledDrivers.of(storage, plan)
        self._referred = 0
        #: Answers a plain row in some microseconds, or gives None for any other; None where kernels do not serve.
        self.quick: Callable[[dict[str, Any]], Answer | None] | None = None
        if isinstance(self._compiled, CompiledDrivers):
            self._take_row = self._intake()
            self.quick = self._quick

    @property
    def driver(self) -> Driver:
        """Which driver answers requests, and where it is the reference driver, why."""
        if isinstance(self._compiled, CompiledDrivers):
            return Driver("compiled", ())
        return Driver("reference", self._compiled.reasons)

    @property
    def answered(self) -> dict[str, int]:
        """How many rows each driver has answered, without those that came alone."""
        compiled = self._compiled.answered if isinstance(self._compiled, CompiledDrivers) else 0
        return {"compiled": compiled, "reference": self._referred}

    def _intake(self) -> Intake:
        return intake(self._coerced_columns, self._columns, self._time, TOLERANCE)

    def _quick(self, row: dict[str, Any]) -> Answer | None:
        """Answer one row if nothing about it is unusual: never waits, never asks DuckDB, raises nothing."""
        drivers = self._compiled
        assert isinstance(drivers, CompiledDrivers)
        try:
            taken = self._take_row(row)
            if taken is None or (self._id is not None and row.get(self._id) is not None):
                return None
            driver = drivers.take()
        except Exception:
            # Whatever it is, the way that every row can take says it in its words.
            return None
        try:
            found = driver.one(taken[0])
            last_seq, floors = driver.last_seq, driver.floors
        except Exception:
            return None
        finally:
            drivers.put(driver)
        if floors:
            first = answers_from(self.plan, floors)
            if first is not None and taken[1] < _EPOCH + timedelta(microseconds=first):
                return None
        return self._answer(found, taken[1], last_seq)

    def request(
        self, rows: Sequence[dict[str, Any]], as_of: Sequence[datetime | None] | None = None
    ) -> list[Answer]:
        """Return the features of new anchor rows; a bad row gives an error in its place.

        Parameters
        ----------
        rows
            Anchor rows by column name. Columns that the view does not use may be left out; without a time, the row is
            answered as of now. A row whose id is stored (see ``id=`` of tables) is answered at the position of the
            stored row, unless it asks for another time.
        as_of
            Times to answer at instead (naive means UTC), one for each row.
        """
        while True:
            # Indexes are read one after the other: an erasure in between would be seen by some of them only.
            erasures = self.storage.erasures()
            answers = self._request(rows, as_of)
            if self.storage.erasures() == erasures:
                return answers

    def _request(
        self, rows: Sequence[dict[str, Any]], as_of: Sequence[datetime | None] | None
    ) -> list[Answer]:
        cut = self.storage.last_seq()
        now = datetime.now(UTC).replace(tzinfo=None)
        prepared: list[_Prepared | RowError] = []
        times: list[datetime] = []
        for index, row in enumerate(rows):
            wanted = as_of[index] if as_of is not None else None
            try:
                found = self._prepare(row, wanted, now, cut, index if len(rows) > 1 else None)
                times.append(found.row[self._time] if self._time else wanted or now)
                prepared.append(found)
            except RowError as error:
                times.append(wanted or now)
                prepared.append(error)
        return self._answers(prepared, times, cut)

    def replay(self, rows: pa.Table, seqs: Sequence[int | None], cut: int) -> list[Answer]:
        """Return the features of anchor rows at their own positions, knowing only what ``cut`` knew.

        Parameters
        ----------
        rows
            Anchor rows with the plan's request columns.
        seqs
            Their arrival numbers; None for rows that are not stored.
        cut
            Rows of a greater seq are not known.
        """
        times = rows.column(self._time).to_pylist() if self._time else [datetime.min] * rows.num_rows
        found = self._evaluate(rows.select(self._schema.names), seqs, cut)
        return [self._answer(value, time, cut) for value, time in zip(found, times, strict=True)]

    def stored_seqs(self, ids: Sequence[Any]) -> list[int | None]:
        """Return the arrival numbers at which requests with these ids are answered, None for those of new rows."""
        if self._ids is None:
            return [None] * len(ids)
        return self.storage.reader(self._ids).seqs(ids)

    def close(self) -> None:
        """Close the engine's sessions."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return

    # -- one batch

    def _prepare(
        self, row: dict[str, Any], as_of: datetime | None, now: datetime, cut: int, index: int | None
    ) -> _Prepared:
        coerced = self._coerced(row, index)
        time = self._time
        place = self._stored_place(coerced, cut)
        if time is None:
            return _Prepared(coerced, place[1] if place else None)
        if as_of is not None:
            coerced[time] = _naive(as_of)
        elif coerced[time] is None:
            if any(name.casefold() == time.casefold() for name in row):
                raise RowError(
                    f"{time!r} is the event time and cannot be null",
                    hint="leave it out to be answered as of now",
                    field=time,
                    row=index,
                )
            coerced[time] = place[0] if place else now
        if coerced[time] > now + TOLERANCE:
            raise RowError(
                f"{time!r} is {coerced[time].isoformat()}Z, which is later than the clock ({now.isoformat()}Z)",
                hint="send the event's time in UTC, or leave it out to be answered as of now",
                field=time,
                row=index,
            )
        self._refuse_expired(coerced[time], index)
        return _Prepared(coerced, place[1] if place and place[0] == coerced[time] else None)

    def _first(self) -> int | None:
        """The first time (µs) of which no row is gone that should be seen; None when nothing has expired."""
        floors = self.storage.floors()
        return answers_from(self.plan, floors) if floors else None

    def _refuse_expired(self, time: datetime, index: int | None) -> None:
        """Rows that a request of long ago should see may be gone."""
        first = self._first()
        if first is not None and time < _EPOCH + timedelta(microseconds=first):
            raise RowError(
                f"at {time.isoformat()}Z rows are missing that have expired",
                hint=f"ask for times from {(_EPOCH + timedelta(microseconds=first)).isoformat()}Z on,"
                " or create the table with a longer keep=",
                field=self._time,
                row=index,
            )

    def _coerced(self, row: dict[str, Any], index: int | None) -> dict[str, Any]:
        try:
            return self._coerce(row, index)
        except RowError:
            columns = self.storage.table(self.plan.table).columns
            if columns == self._coerced_columns:
                raise
        # The table has got a further column since, which the row may carry.
        self._coerced_columns = columns
        self._coerce = row_coercer(columns, required=self._required)
        if self.quick is not None:
            self._take_row = self._intake()
        return self._coerce(row, index)

    def _stored_place(self, row: dict[str, Any], cut: int) -> tuple[datetime, int] | None:
        """The position of the stored row with the id of a request row."""
        if self._ids is None or self._id is None or row[self._id] is None:
            return None
        found = self.storage.reader(self._ids).read((row[self._id],), (), limit=1, cut=cut)
        if not found.num_rows:
            return None
        order, seq = (found.column(name)[0].as_py() for name in ("__ord", "__seq"))
        return _EPOCH + timedelta(microseconds=order), seq

    def _answers(self, prepared: list[_Prepared | RowError], times: list[datetime], cut: int) -> list[Answer]:
        good = [row for row in prepared if not isinstance(row, RowError)]
        results = iter(self._evaluate([row.row for row in good], [row.seq for row in good], cut))
        return [
            self._answer(row if isinstance(row, RowError) else next(results), time, cut)
            for row, time in zip(prepared, times, strict=True)
        ]

    def _answer(self, value: tuple[Any, ...] | RowError, time: datetime, cut: int) -> Answer:
        if isinstance(value, RowError):
            return Answer(None, None, value, time, cut)
        if not value[0]:
            reason = FILTERED_BELOW if value[0] is LEFT_OUT_BELOW else FILTERED
            return Answer(None, reason, None, time, cut)
        return Answer(dict(zip(self._names, value[1:], strict=True)), None, None, time, cut)

    def _evaluate(
        self, rows: pa.Table | Sequence[dict[str, Any]], seqs: Sequence[int | None], cut: int
    ) -> list[tuple[Any, ...] | RowError]:
        """What the compiled driver answers, and of the rows that it leaves what the reference driver does."""
        found: list[tuple[Any, ...] | None] = [None] * len(seqs)
        if isinstance(self._compiled, CompiledDrivers):
            found = self._compiled.answer(rows, seqs, cut)
        rest = [index for index, row in enumerate(found) if row is None]
        left: list[tuple[Any, ...] | RowError] = []
        if rest:
            if not isinstance(rows, pa.Table):
                table = self._table([rows[index] for index in rest])
            else:
                table = rows if len(rest) == rows.num_rows else rows.take(int64_array(np.array(rest)))
            left = self._by_reference(table, [seqs[index] for index in rest], cut)
        others = iter(left)
        return [next(others) if row is None else row for row in found]

    def _table(self, rows: Sequence[dict[str, Any]]) -> pa.Table:
        arrays = [pa.array([row[field.name] for row in rows], type=field.type) for field in self._schema]
        return pa.Table.from_arrays(arrays, schema=self._schema) if arrays else _rows_only(len(rows))

    def _by_reference(
        self, rows: pa.Table, seqs: Sequence[int | None], cut: int
    ) -> list[tuple[Any, ...] | RowError]:
        self._referred += rows.num_rows
        driver = self._take()
        try:
            try:
                return list(driver.answer(rows, seqs, cut))
            except (duckdb.Error, RowError) as error:
                if rows.num_rows == 1:
                    return [self._row_error(error)]
            # One row's value cannot be computed: find out which, and answer the others.
            return [self._alone(driver, rows, seqs, cut, index) for index in range(rows.num_rows)]
        finally:
            self._idle.put(driver)

    def _alone(
        self, driver: ReferenceDriver, rows: pa.Table, seqs: Sequence[int | None], cut: int, index: int
    ) -> tuple[Any, ...] | RowError:
        try:
            return driver.answer(rows.slice(index, 1), [seqs[index]], cut)[0]
        except (duckdb.Error, RowError) as error:
            return self._row_error(error)

    def _row_error(self, error: duckdb.Error | RowError) -> RowError:
        if isinstance(error, RowError):
            return error
        found = failure(error, self.plan)
        if not isinstance(found, RowError):
            raise found from None
        return found

    def _take(self) -> ReferenceDriver:
        """A driver that no other thread uses; sessions made before a fork are not used after it."""
        if self._pid != os.getpid():
            self._idle, self._pid = queue.SimpleQueue(), os.getpid()
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return ReferenceDriver(self.storage, self.plan)


def _naive(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


def _rows_only(count: int) -> pa.Table:
    """A table of rows without columns, for views that read nothing of the anchor."""
    return pa.table({"__none": pa.nulls(count)})
