"""The reference driver: the rows of the request's keys into a private DuckDB session, in the request form.

Any DuckDB function works here. Statements are prepared once; rows change behind relations that stay registered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from workbench.online.indexes import index_of
from workbench.plan import expr as e
from workbench.plan.model import FeaturePlan, Key, Lookup
from workbench.plan.request_form import RequestForm, later_visibility
from workbench.plan.stages import Stage, lookup_columns, stages
from workbench.storage import Storage
from workbench.storage.session import connect
from workbench.values.types import arrow_schema


class _Holder:
    """A registered relation whose rows are exchanged between requests."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()


class _Part:
    """A stage or lookup with its index, its registered rows and how its keys are found."""

    def __init__(self, plan: FeaturePlan, part: Stage | Lookup, storage: Storage) -> None:
        self.part = part
        self.columns = list(part.columns if isinstance(part, Stage) else lookup_columns(plan, part))
        self.reader = storage.reader(index_of(part))
        types = storage.table(part.source.table).columns
        schema = arrow_schema({name: types[name] for name in self.columns})
        schema = schema.append(pa.field("__ord", pa.int64())).append(pa.field("__seq", pa.int64()))
        self.schema = pa.schema([pa.field("__anchor", pa.int64()), pa.field("__pos", pa.int64()), *schema])
        self.empty = self.schema.empty_table()
        self.holder = _Holder(self.empty)
        self.null_matches = isinstance(part, Stage) and part.history
        self.plain_keys = [_plain(key) for key in part.keys]
        self.order_column, self.by_position = self._order(plan, part)
        self.simple = all(self.plain_keys) and (self.order_column is not None or not self.by_position)
        self.reach = part.reach() if isinstance(part, Stage) else None
        self.limit = self._limit(plan, part)

    def _order(self, plan: FeaturePlan, part: Stage | Lookup) -> tuple[str | None, bool]:
        """The anchor column that rows are compared with in the index's order, and whether they are at all."""
        if isinstance(part, Stage):
            value = part.order_anchor
            return (value.name if isinstance(value, e.Column) and value.source == e.ANCHOR else None), True
        by_time = plan.time is not None and part.source.time is not None and part.order == part.source.time
        return (plan.time if by_time else None), by_time

    def _limit(self, plan: FeaturePlan, part: Stage | Lookup) -> int | None:
        if isinstance(part, Stage):
            return part.rows_needed()
        return 1 if part.source.where is None and not later_visibility(plan, part) else None

    def read(
        self, anchor: int, key: tuple[Any, ...], order: int | None, seq: int | None, cut: int
    ) -> pa.Table | None:
        """Return the rows that one anchor sees, newest first, or None."""
        if not self.null_matches and any(value is None for value in key):
            return None
        upto = since = None
        if self.by_position:
            if order is None:
                return None
            upto = (order, seq if self.part.source.own else None)
            since = order - self.reach if self.reach is not None else None
        rows = self.reader.read(key, self.columns, upto=upto, since=since, limit=self.limit, cut=cut)
        count = rows.num_rows
        if not count:
            return None
        anchors = pa.array(np.full(count, anchor, dtype=np.int64))
        positions = pa.array(np.arange(count, dtype=np.int64))
        columns = [anchors, positions, *(rows.column(name) for name in self.schema.names[2:])]
        return pa.Table.from_arrays(columns, schema=self.schema)


def _plain(key: Key) -> str | None:
    """The anchor column that a key is, or None where it must be computed."""
    value = key.anchor
    return value.name if isinstance(value, e.Column) and value.source == e.ANCHOR else None


class ReferenceDriver:
    """Answers anchor rows one batch at a time; not thread-safe.

    Parameters
    ----------
    storage
        The project's storage; its indexes for the plan must exist.
    plan
        The plan.
    """

    def __init__(self, storage: Storage, plan: FeaturePlan) -> None:
        self.plan = plan
        self.connection = connect(threads=1)
        self.names = list(plan.request_columns)
        self.schema = pa.schema(
            [
                pa.field("__anchor", pa.int64()),
                pa.field("__seq", pa.int64()),
                *arrow_schema(plan.request_columns),
            ]
        )
        self.request = _Holder(self.schema.empty_table())
        self.parts = [_Part(plan, part, storage) for part in (*plan.lookups, *stages(plan))]
        self.connection.register("request", self.request)
        for part in self.parts:
            self.connection.register(f"rows_{part.part.name}", part.holder)
        one, many = (RequestForm(plan, _registered, "request", grouped=grouped) for grouped in (False, True))
        self.connection.execute(f"PREPARE one AS {one.sql()}")
        self.connection.execute(f"PREPARE many AS {many.sql()}")
        for part in self.parts:
            if not part.simple:
                self.connection.execute(f"PREPARE keys_{part.part.name} AS {many.keys_sql(part.part)}")

    def answer(self, rows: pa.Table, seqs: Sequence[int | None], cut: int) -> list[tuple[Any, ...]]:
        """Return ``(kept, *features)`` of each row.

        Parameters
        ----------
        rows
            Anchor rows with exactly the plan's request columns.
        seqs
            The position of each row among equal times: None for a row that is not stored.
        cut
            Rows of a greater seq are not known.

        Raises
        ------
        duckdb.Error
            When a value cannot be computed.
        """
        count = rows.num_rows
        anchors = pa.array(np.arange(count, dtype=np.int64))
        columns = [anchors, pa.array(seqs, pa.int64()), *(rows.column(name) for name in self.names)]
        self.request.table = pa.Table.from_arrays(columns, schema=self.schema)
        values = dict(zip(self.names, rows.columns, strict=True))
        for part in self.parts:
            keys, orders = self._keys(part, values, count)
            found = [
                table
                for anchor in range(count)
                if (table := part.read(anchor, keys[anchor], orders[anchor], seqs[anchor], cut)) is not None
            ]
            part.holder.table = pa.concat_tables(found) if len(found) > 1 else (found or [part.empty])[0]
        return self.connection.execute("EXECUTE one" if count == 1 else "EXECUTE many").fetchall()

    def _keys(
        self, part: _Part, values: dict[str, pa.ChunkedArray], count: int
    ) -> tuple[list[tuple[Any, ...]], list[int | None]]:
        """Return the key and the order value of each anchor."""
        if part.simple:
            columns = [values[name].to_pylist() for name in part.plain_keys if name is not None]
            keys = list(zip(*columns, strict=True)) if columns else [()] * count
            return keys, self._orders(values[part.order_column], count) if part.order_column else [
                None
            ] * count
        rows = self.connection.execute(f"EXECUTE keys_{part.part.name}").fetchall()
        width = len(part.plain_keys)
        if not isinstance(part.part, Stage):
            orders = self._orders(values[part.order_column], count) if part.order_column else [None] * count
        else:
            orders = [row[width] for row in rows]
        return [tuple(row[:width]) for row in rows], orders

    def _orders(self, column: pa.ChunkedArray, count: int) -> list[int | None]:
        kind = column.type
        if pa.types.is_date(kind):
            column = column.cast(pa.timestamp("us"))
        return list(column.cast(pa.int64()).to_pylist())

    def close(self) -> None:
        """Close the session."""
        self.connection.close()


def _registered(part: Stage | Lookup, anchors: str) -> str:
    return f"rows_{part.name}"
