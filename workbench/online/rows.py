"""The rows that request rows see: read by key from an index, numbered newest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.online.indexes import index_of
from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan, Key, Lookup, Source
from workbench.plan.request_form import later_visibility
from workbench.plan.stages import Stage, lookup_columns
from workbench.storage import Storage
from workbench.values.types import arrow_schema

Keys = Sequence[tuple[Any, ...]]
Orders = Sequence[int | None]


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
        if self.derives is not None:
            return self.read_all([key], [order], [seq], cut)[0]
        return self._read(key, order, seq, cut)

    def read_all(
        self, keys: Keys, orders: Orders, seqs: Sequence[int | None], cut: int
    ) -> list[pa.Table | None]:
        """Return what :meth:`read` gives for each of several request rows."""
        found = [self._read(key, order, seq, cut) for key, order, seq in zip(keys, orders, seqs, strict=True)]
        if self.derives is None or all(rows is None for rows in found):
            return found
        return self._derived(self.derives, found, cut)

    def _read(self, key: tuple[Any, ...], order: int | None, seq: int | None, cut: int) -> pa.Table | None:
        if not self.null_group and any(value is None for value in key):
            return None
        upto = since = None
        if self.by_position:
            if order is None:
                return None
            upto = self._upto(order, seq)
            since = order - self.reach if self.reach is not None else None
        elif self.is_stage and self.part.source.own and seq is not None:
            upto = (0, seq)
        rows = self.reader.read(key, self._stored, upto=upto, since=since, limit=self._read_limit, cut=cut)
        return rows if rows.num_rows else None

    def _upto(self, order: int, seq: int | None) -> tuple[int, int | None]:
        """The position before which rows are seen."""
        source = self.part.source
        if source.delay:
            return order - source.delay, None
        if self.before_time:
            return order - 1, None
        return order, seq if source.own else None

    def _derived(self, derives: Derives, found: list[pa.Table | None], cut: int) -> list[pa.Table | None]:
        """The outputs of the source's plan for the stored rows of several request rows; each row is derived once."""
        stored = pa.concat_tables(rows for rows in found if rows is not None)
        seqs = stored.column("__seq").to_numpy()
        distinct, first, place = np.unique(seqs, return_index=True, return_inverse=True)
        kept, outputs = derives.derive(
            stored.select(self._stored).take(pa.array(first)), distinct.tolist(), cut
        )
        row_of = np.cumsum(kept) - 1
        results: list[pa.Table | None] = []
        begin = 0
        for rows in found:
            if rows is None:
                results.append(None)
                continue
            places = place[begin : begin + rows.num_rows]
            chosen = np.flatnonzero(kept[places])[: self.limit]
            begin += rows.num_rows
            if not len(chosen):
                results.append(None)
                continue
            made = outputs.select(self.columns).take(pa.array(row_of[places[chosen]]))
            for name in ("__ord", "__seq"):
                made = made.append_column(rows.schema.field(name), rows.column(name).take(pa.array(chosen)))
            results.append(made)
        return results

    def numbered(self, rows: pa.Table, anchor: int, order: int | None) -> pa.Table:
        """Return what :meth:`read` gave with ``__anchor`` (the request row's number in its batch), position and age."""
        count = rows.num_rows
        age = (
            np.int64(order or 0) - rows.column("__ord").to_numpy()
            if self.is_stage
            else np.zeros(count, np.int64)
        )
        numbers = [np.full(count, anchor, np.int64), np.arange(1, count + 1), age]
        columns = [
            *(pa.array(column) for column in numbers),
            *(rows.column(name) for name in self.schema.names[3:]),
        ]
        return pa.Table.from_arrays(columns, schema=self.schema)

    def request_rows(self, values: dict[str, pa.ChunkedArray], count: int) -> pa.Table:
        """Return the request rows as rows of their own history: position 0, age 0."""
        zeros = pa.array(np.zeros(count, np.int64))
        columns = [pa.array(np.arange(count)), zeros, zeros, pa.nulls(count, pa.int64())]
        return pa.Table.from_arrays([*columns, *(values[name] for name in self.columns)], schema=self.schema)


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
