"""The rows that request rows see: read by key from an index, numbered newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.online.bounds import Bounds, Places, around, overlapping, within
from workbench.online.indexes import index_of
from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan, Key, Lookup, Source
from workbench.plan.request_form import later_visibility
from workbench.plan.stages import Stage, lookup_columns
from workbench.storage import Storage
from workbench.values.types import arrow_schema

Keys = Sequence[tuple[Any, ...]]
Orders = Sequence[int | None]
Integers = npt.NDArray[np.int64]

_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True)
class _Gathered:
    """Rows with their order values and seqs, and which of them each request row sees, newest first."""

    rows: pa.Table
    orders: Integers
    seqs: Integers
    places: list[Places]


class Derives(Protocol):
    """Gives the rows of derived sources: what a driver of their plan does."""

    def derive(
        self, rows: pa.Table, seqs: Sequence[int | None], cut: int
    ) -> tuple[npt.NDArray[np.bool_], pa.Table]:
        """Return which rows the plan keeps, and the outputs of those."""


class VisibleRows:
    """Reads the rows of one stage or lookup.

    Parameters
    ----------
    plan
        The plan.
    part
        A stage or lookup of it.
    storage
        The project's storage; the part's index must exist.
    driver
        Returns the driver of a derived source's plan.
    """

    def __init__(
        self,
        plan: FeaturePlan,
        part: Stage | Lookup,
        storage: Storage,
        driver: Callable[[FeaturePlan], Derives],
    ) -> None:
        self.part = part
        self.is_stage = isinstance(part, Stage)
        self.history = isinstance(part, Stage) and part.history
        self.null_group = part.null_group if isinstance(part, Stage) else part.null_keys
        self.before_time = isinstance(part, Stage) and part.before_time
        self.columns = list(part.columns if isinstance(part, Stage) else lookup_columns(plan, part))
        self.reader = storage.reader(index_of(part))
        source = part.source
        types = storage.table(source.table).columns if source.rows is None else source.rows.features
        self.types = {name: types[name] for name in self.columns}
        self.values = arrow_schema(self.types)
        numbers = [pa.field(name, pa.int64()) for name in ("__anchor", "__pos", "__age", "__seq")]
        self.schema = pa.schema([*numbers, *self.values])
        self.empty = self.schema.empty_table()
        self.key_columns = [_plain(key) for key in part.keys]
        self.order_column, self.by_position = _order(plan, part)
        self.reach = part.reach() if isinstance(part, Stage) else _living(part)
        self.limit = _limit(plan, part)
        self.derives = None if source.rows is None else driver(source.rows)
        self._stored = self.columns if source.rows is None else list(source.rows.request_columns)
        self._read_limit = None if _filters(source) else self.limit
        stored = storage.table(source.table).columns
        self._empty_stored = arrow_schema(
            {**{name: stored[name] for name in self._stored}, "__ord": "BIGINT", "__seq": "BIGINT"}
        ).empty_table()

    @property
    def plain(self) -> bool:
        """Whether keys and order are columns of the request row, so that nothing needs to be computed first."""
        return all(self.key_columns) and (self.order_column is not None or not self.by_position)

    def read(self, key: tuple[Any, ...], order: int | None, seq: int | None, cut: int) -> pa.Table | None:
        """Return the stored rows that one request row sees, newest first, or None when there are none.

        The columns are :attr:`columns`, then ``__ord`` and ``__seq``.

        Parameters
        ----------
        key, order
            The request row's key and its order value.
        seq
            Its arrival number where it is a stored row.
        cut
            Rows of a greater seq are not known.

        Raises
        ------
        duckdb.Error, RowError
            When a value of a derived source cannot be computed.
        """
        if self.derives is None:
            bounds = self._bounds(key, order, seq)
            return None if bounds is None else _rows(self._read(key, bounds, cut))
        found = self._gathered([key], [order], [seq], cut)
        (places,) = found.places
        if not len(places):
            return None
        made = found.rows.take(pa.array(places))
        for name, values in (("__ord", found.orders), ("__seq", found.seqs)):
            made = made.append_column(name, pa.array(values[places]))
        return made

    def seen(self, keys: Keys, orders: Orders, seqs: Sequence[int | None], cut: int) -> pa.Table | None:
        """Return the stored rows that several request rows see, or None when there are none.

        ``__anchor`` is the request row's number, ``__pos`` counts from 1, newest first. Parameters as of :meth:`read`.
        """
        found = self._gathered(keys, orders, seqs, cut)
        counts = np.array([len(places) for places in found.places], np.int64)
        total = int(counts.sum())
        if not total:
            return None
        places = np.concatenate(found.places)
        anchors = np.repeat(np.arange(len(keys)), counts)
        positions = np.arange(1, total + 1) - np.repeat(np.cumsum(counts) - counts, counts)
        ages = np.zeros(total, np.int64)
        if self.is_stage:
            ages = np.array([order or 0 for order in orders], np.int64)[anchors] - found.orders[places]
        numbers = [pa.array(values) for values in (anchors, positions, ages, found.seqs[places])]
        rows = found.rows.take(pa.array(places))
        return pa.Table.from_arrays([*numbers, *rows.columns], schema=self.schema)

    def _gathered(self, keys: Keys, orders: Orders, seqs: Sequence[int | None], cut: int) -> _Gathered:
        members: dict[tuple[Any, ...], list[int]] = {}
        for number, key in enumerate(keys):
            members.setdefault(key, []).append(number)
        tables: list[pa.Table] = []
        places: list[Places] = [_NONE] * len(keys)
        begin = 0
        for key, numbers in members.items():
            asked = [(number, self._bounds(key, orders[number], seqs[number])) for number in numbers]
            for table, found in self._of_key(key, [(n, b) for n, b in asked if b is not None], cut):
                tables.append(table)
                for number, chosen in found:
                    places[number] = chosen + begin
                begin += table.num_rows
        rows = pa.concat_tables(tables) if tables else self._empty_stored
        stamps = rows.column("__seq").to_numpy()
        # Nothing looks at the order of a lookup's rows, where it may be NULL.
        stage_orders = rows.column("__ord").to_numpy() if self.is_stage else np.zeros(len(stamps), np.int64)
        gathered = _Gathered(rows.select(self._stored), stage_orders, stamps, places)
        return gathered if self.derives is None else self._derived(self.derives, gathered, cut)

    def _of_key(
        self, key: tuple[Any, ...], asked: list[tuple[int, Bounds]], cut: int
    ) -> Iterator[tuple[pa.Table, list[tuple[int, Places]]]]:
        """The rows of one key, with those of them that each of several request rows sees."""
        if len(asked) <= 1 or self._read_limit is not None:
            for number, bounds in asked:
                rows = self._read(key, bounds, cut)
                yield rows, [(number, np.arange(rows.num_rows))]
            return
        for together in overlapping(asked):
            rows = self._read(key, around([bounds for _, bounds in together]), cut)
            yield rows, [(number, within(rows, bounds)) for number, bounds in together]

    def _bounds(self, key: tuple[Any, ...], order: int | None, seq: int | None) -> Bounds | None:
        """Between which positions a request row sees rows; None where it sees none."""
        if not self.null_group and any(value is None for value in key):
            return None
        if not self.by_position:
            arrived = self.is_stage and self.part.source.own and seq is not None
            return Bounds((0, seq) if arrived else None, None)
        if order is None:
            return None
        return Bounds(self._upto(order, seq), order - self.reach if self.reach is not None else None)

    def _upto(self, order: int, seq: int | None) -> tuple[int, int | None]:
        """The position before which rows are seen."""
        source = self.part.source
        if source.delay:
            return order - source.delay, None
        if self.before_time:
            return order - 1, None
        return order, seq if source.own else None

    def _read(self, key: tuple[Any, ...], bounds: Bounds, cut: int) -> pa.Table:
        return self.reader.read(
            key, self._stored, upto=bounds.upto, since=bounds.since, limit=self._read_limit, cut=cut
        )

    def _derived(self, derives: Derives, stored: _Gathered, cut: int) -> _Gathered:
        """The outputs of the source's plan for stored rows; each row is derived once, whoever sees it."""
        used = np.unique(np.concatenate([_NONE, *stored.places]))
        kept, outputs = derives.derive(stored.rows.take(pa.array(used)), stored.seqs[used].tolist(), cut)
        row_of = np.full(len(stored.seqs), -1)
        row_of[used[kept]] = np.arange(outputs.num_rows)
        places = [row_of[places] for places in stored.places]
        places = [chosen[chosen >= 0][: self.limit] for chosen in places]
        stays = used[kept]
        return _Gathered(outputs.select(self.columns), stored.orders[stays], stored.seqs[stays], places)

    def request_rows(self, values: dict[str, pa.ChunkedArray], count: int) -> pa.Table:
        """Return the request rows as rows of their own history: position 0, age 0."""
        zeros = pa.array(np.zeros(count, np.int64))
        columns = [pa.array(np.arange(count)), zeros, zeros, pa.nulls(count, pa.int64())]
        return pa.Table.from_arrays([*columns, *(values[name] for name in self.columns)], schema=self.schema)


def _rows(table: pa.Table) -> pa.Table | None:
    return table if table.num_rows else None


def order_values(column: pa.Array) -> list[int | None]:
    """Return order values as integers: microseconds of times and dates."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    # A view where the bits are integers already: a cast costs ten times as much for one value.
    integers = column.cast if column.type.bit_width < 64 else column.view
    return list(integers(pa.int64()).to_pylist())


def _plain(key: Key) -> str | None:
    """The anchor column that a key is, or None where it must be computed."""
    value = key.anchor
    return value.name if isinstance(value, e.Column) and value.source == e.ANCHOR else None


def _order(plan: FeaturePlan, part: Stage | Lookup) -> tuple[str | None, bool]:
    """The anchor column that rows are compared with in the index's order, and whether they are at all."""
    if isinstance(part, Stage):
        value = part.order_anchor
        plain = value.name if isinstance(value, e.Column) and value.source == e.ANCHOR else None
        return plain, value is not None
    timed = part.timed and plan.time is not None and part.source.time is not None
    by_time = timed and part.order == part.source.time
    return (plan.time if by_time else None), by_time


def _limit(plan: FeaturePlan, part: Stage | Lookup) -> int | None:
    """How many of the newest rows suffice."""
    if isinstance(part, Stage):
        return part.rows_needed()
    return 1 if part.source.where is None and not later_visibility(plan, part) else None


def _filters(source: Source) -> bool:
    """Whether the plan of a derived source leaves rows out, so that more must be read than are needed."""
    plan = source.rows
    while plan is not None:
        if plan.where is not None:
            return True
        plan = plan.rows
    return False


def _living(lookup: Lookup) -> int | None:
    """The oldest age at which a row of a lookup is visible."""
    return lookup.source.ttl - 1 if lookup.source.ttl is not None else None
