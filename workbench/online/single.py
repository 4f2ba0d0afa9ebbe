"""A single request row, answered from slots: the path that most requests take."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from workbench.online.rows import VisibleRows, order_values
from workbench.online.slots import CAPACITY, Slots, can_hold, supported
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage
from workbench.storage.arrays import contiguous


class SingleStatement:
    """The prepared statement of a plan for one request row; :meth:`suits` says whether there can be one.

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
        columns = dict(plan.anchor_columns)
        self.names = list(columns)
        self.request = Slots(connection, "slots_request", columns, 1)
        self.parts = [
            (rows, Slots(connection, f"slots_{rows.part.name}", rows.types, _room(rows))) for rows in parts
        ]
        self.key_names = {name for rows in parts for name in rows.key_columns if name is not None}
        self.order_names = {rows.order_column for rows in parts if rows.order_column is not None}
        texts = {rows.part.name: slots.sql for rows, slots in self.parts}

        def held(part: Stage | Lookup, anchors: str) -> str:
            return texts[part.name]

        form = RequestForm(plan, held, self.request.sql, grouped=False, request_included=True, few=True)
        connection.execute(f"PREPARE single AS {form.sql()}")

    @staticmethod
    def suits(plan: FeaturePlan, parts: Sequence[VisibleRows]) -> bool:
        """Whether keys and orders need no computing, and every type has its slots."""
        columns = [dict(plan.anchor_columns), *(rows.types for rows in parts)]
        held = all(can_hold(kind) for types in columns for kind in types.values())
        return held and all(rows.plain for rows in parts) and supported()

    def answer(self, rows: pa.Table, seq: int | None, cut: int) -> duckdb.DuckDBPyConnection | None:
        """Return the result ``(kept, *features)`` of the row, None where slots cannot hold what it sees."""
        values = {name: contiguous(rows.column(name)) for name in self.names}
        if not self.request.fill(list(values.values()), seq, None, 0):
            return None
        keys = {name: values[name].to_pylist()[0] for name in self.key_names}
        orders = {name: order_values(values[name])[0] for name in self.order_names}
        for part, slots in self.parts:
            key = tuple([keys[name] for name in part.key_columns if name is not None])
            order = orders[part.order_column] if part.order_column else None
            own = [values[name] for name in part.columns] if part.history else None
            seen = part.read(key, order, seq, cut)
            if not slots.fill(own, None, seen, order or 0):
                return None
        return self.connection.execute("EXECUTE single")


def _room(rows: VisibleRows) -> int:
    """How many rows there can be: those of the limit and the request row."""
    return min(CAPACITY, (CAPACITY if rows.limit is None else rows.limit) + 1)
