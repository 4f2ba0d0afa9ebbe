"""The rows that request rows see: read by key from an index, numbered newest first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from workbench.online.indexes import index_of
from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan, Key, Lookup
from workbench.plan.request_form import later_visibility
from workbench.plan.stages import Stage, lookup_columns
from workbench.storage import Storage
from workbench.values.types import arrow_schema


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
    """

    def __init__(self, plan: FeaturePlan, part: Stage | Lookup, storage: Storage) -> None:
        self.part = part
        self.is_stage = isinstance(part, Stage)
        self.history = isinstance(part, Stage) and part.history
        self.null_group = part.null_group if isinstance(part, Stage) else part.null_keys
        self.before_time = isinstance(part, Stage) and part.before_time
        self.columns = list(part.columns if isinstance(part, Stage) else lookup_columns(plan, part))
        self.reader = storage.reader(index_of(part))
        types = storage.table(part.source.table).columns
        self.values = arrow_schema({name: types[name] for name in self.columns})
        numbers = [pa.field(name, pa.int64()) for name in ("__anchor", "__pos", "__age", "__seq")]
        self.schema = pa.schema([*numbers, *self.values])
        self.empty = self.schema.empty_table()
        self.key_columns = [_plain(key) for key in part.keys]
        self.order_column, self.by_position = _order(plan, part)
        self.reach = part.reach() if isinstance(part, Stage) else _living(part)
        self.limit = _limit(plan, part)

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
        """
        if not self.null_group and any(value is None for value in key):
            return None
        upto = since = None
        if self.by_position:
            if order is None:
                return None
            upto = self._upto(order, seq)
            since = order - self.reach if self.reach is not None else None
        rows = self.reader.read(key, self.columns, upto=upto, since=since, limit=self.limit, cut=cut)
        return rows if rows.num_rows else None

    def _upto(self, order: int, seq: int | None) -> tuple[int, int | None]:
        """The position before which rows are seen."""
        source = self.part.source
        if source.delay:
            return order - source.delay, None
        if self.before_time:
            return order - 1, None
        return order, seq if source.own else None

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
        return (value.name if isinstance(value, e.Column) and value.source == e.ANCHOR else None), True
    timed = part.timed and plan.time is not None and part.source.time is not None
    by_time = timed and part.order == part.source.time
    return (plan.time if by_time else None), by_time


def _limit(plan: FeaturePlan, part: Stage | Lookup) -> int | None:
    if isinstance(part, Stage):
        return part.rows_needed()
    return 1 if part.source.where is None and not later_visibility(plan, part) else None


def _living(lookup: Lookup) -> int | None:
    """The oldest age at which a row of a lookup is visible."""
    return lookup.source.ttl - 1 if lookup.source.ttl is not None else None
