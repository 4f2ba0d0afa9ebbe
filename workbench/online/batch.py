"""Request rows of any number and any type, answered over Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from workbench.online.rows import VisibleRows, order_values
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.render import quote
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage
from workbench.storage.arrays import contiguous
from workbench.values.types import arrow_schema, arrow_type, duckdb_type


class _Holder:
    """A registered relation whose rows are exchanged between requests."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        return self.table.schema.__arrow_c_schema__()


class BatchStatements:
    """The prepared statements of a plan over Arrow.

    Parameters
    ----------
    connection
        The driver's session.
    plan
        The plan.
    parts
        The readers of its lookups and stages, in order.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, plan: FeaturePlan, parts: Sequence[VisibleRows]
    ) -> None:
        self.connection = connection
        self.names = [name for name, _ in plan.anchor_columns]
        numbers = [pa.field("__anchor", pa.int64()), pa.field("__seq", pa.int64())]
        self.schema = pa.schema([*numbers, *arrow_schema(dict(plan.anchor_columns))])
        self.request = _Holder(self.schema.empty_table())
        connection.register("request", self.request)
        self.parts: list[tuple[VisibleRows, _Holder]] = []
        for rows in parts:
            holder = _Holder(rows.empty)
            connection.register(f"rows_{rows.part.name}", holder)
            self.parts.append((rows, holder))
        texts = {rows.part.name: _typed(f"rows_{rows.part.name}", rows.types) for rows in parts}

        def registered(part: Stage | Lookup, anchors: str) -> str:
            return texts[part.name]

        request = _typed("request", dict(plan.anchor_columns))
        one = RequestForm(plan, registered, request, grouped=False, request_included=True)
        many = RequestForm(plan, registered, request, grouped=True, request_included=True)
        connection.execute(f"PREPARE one AS {one.sql()}")
        connection.execute(f"PREPARE many AS {many.sql()}")
        for rows in parts:
            if not rows.plain:
                connection.execute(f"PREPARE keys_{rows.part.name} AS {many.keys_sql(rows.part)}")

    def answer(self, rows: pa.Table, seqs: Sequence[int | None], cut: int) -> duckdb.DuckDBPyConnection:
        """Return the result ``(kept, *features)`` of the rows, in their order; parameters as of the driver."""
        count = rows.num_rows
        anchors = pa.array(np.arange(count, dtype=np.int64))
        columns = [anchors, pa.array(seqs, pa.int64()), *(rows.column(name) for name in self.names)]
        self.request.table = pa.Table.from_arrays(columns, schema=self.schema)
        values = {name: rows.column(name) for name in self.names}
        for rows_of, holder in self.parts:
            keys, orders = self._keys(rows_of, values, count)
            found = [rows_of.request_rows(values, count)] if rows_of.history else []
            seen = rows_of.seen(keys, orders, seqs, cut)
            if seen is not None:
                found.append(seen)
            holder.table = pa.concat_tables(found) if len(found) > 1 else (found or [rows_of.empty])[0]
        return self.connection.execute("EXECUTE one" if count == 1 else "EXECUTE many")

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
        if rows.order_column is None:
            return keys, [None] * count
        return keys, order_values(contiguous(values[rows.order_column]))


def _typed(name: str, types: Mapping[str, str]) -> str:
    """FROM text of a registered relation, with the types that Arrow cannot say."""
    casts = [
        f"CAST({quote(column)} AS {kind}) AS {quote(column)}"
        for column, kind in types.items()
        if not _said(kind)
    ]
    return f"(SELECT * REPLACE ({', '.join(casts)}) FROM {name})" if casts else name


def _said(kind: str) -> bool:
    """Whether DuckDB reads the Arrow form of a type as that type."""
    return kind == "INTERVAL" or duckdb_type(arrow_type(kind)) == kind
