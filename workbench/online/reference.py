"""The reference driver: the rows of the request's keys into a private DuckDB session, in the request form.

Any DuckDB function works here. Statements are prepared once; rows change behind relations that stay registered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from workbench.online.rows import VisibleRows
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage, stages
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
        self.connection.register("request", self.request)
        self.parts = []
        parts: tuple[Lookup | Stage, ...] = (*plan.lookups, *stages(plan))
        for part in parts:
            rows = VisibleRows(plan, part, storage)
            holder = _Holder(rows.empty)
            self.connection.register(f"rows_{part.name}", holder)
            self.parts.append((rows, holder))
        self._prepare()

    def _prepare(self) -> None:
        one = RequestForm(self.plan, _registered, "request", grouped=False, request_included=True)
        many = RequestForm(self.plan, _registered, "request", grouped=True, request_included=True)
        self.connection.execute(f"PREPARE one AS {one.sql()}")
        self.connection.execute(f"PREPARE many AS {many.sql()}")
        for rows, _ in self.parts:
            if not rows.plain:
                self.connection.execute(f"PREPARE keys_{rows.part.name} AS {many.keys_sql(rows.part)}")

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
        for rows_of, holder in self.parts:
            keys, orders = self._keys(rows_of, values, count)
            found = [rows_of.request_rows(values, count)] if rows_of.history else []
            for anchor in range(count):
                seen = rows_of.read(anchor, keys[anchor], orders[anchor], seqs[anchor], cut)
                if seen is not None:
                    found.append(seen)
            holder.table = pa.concat_tables(found) if len(found) > 1 else (found or [rows_of.empty])[0]
        return self.connection.execute("EXECUTE one" if count == 1 else "EXECUTE many").fetchall()

    def _keys(
        self, rows: VisibleRows, values: dict[str, pa.ChunkedArray], count: int
    ) -> tuple[list[tuple[Any, ...]], list[int | None]]:
        """Return the key and the order value of each request row."""
        if not rows.plain:
            found = self.connection.execute(f"EXECUTE keys_{rows.part.name}").fetchall()
            width = len(rows.key_columns)
            keys = [tuple(row[:width]) for row in found]
            if rows.is_stage:
                return keys, [row[width] for row in found]
        else:
            columns = [values[name].to_pylist() for name in rows.key_columns if name is not None]
            keys = list(zip(*columns, strict=True)) if columns else [()] * count
        return keys, _orders(values[rows.order_column]) if rows.order_column else [None] * count

    def close(self) -> None:
        """Close the session."""
        self.connection.close()


def _orders(column: pa.ChunkedArray) -> list[int | None]:
    """Order values as integers: microseconds of times and dates."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("us"))
    return list(column.cast(pa.int64()).to_pylist())


def _registered(part: Stage | Lookup, anchors: str) -> str:
    return f"rows_{part.name}"
