"""How many stored rows requests read, measured on a sample of the stored anchors."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from workbench.plan import expr as e
from workbench.plan.explain import Touched, reads_at_most
from workbench.plan.expr import Expr
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.render import order_sql, plan_sql, quote
from workbench.plan.stages import Stage, stages
from workbench.plan.words import computed_names
from workbench.storage import Snapshot, Storage

#: How many stored anchors are asked.
SAMPLE = 500


def rows_touched(storage: Storage, plan: FeaturePlan) -> list[Touched]:
    """Return how many rows requests for a sample of the stored rows read, for each window and last join.

    A window or join that a computed row has counts for each of these rows. Keys that are computed from joined columns
    are not measured, nor are joins that read one row.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The plan.
    """
    names = computed_names(plan)
    found = []
    with storage.snapshot() as snapshot, storage.connect() as connection:
        for part in plan.nested():
            of = f", for each of {names[part]}" if part in names else ""
            for stage in stages(part):
                if stage.ahead:
                    continue
                windows = ", ".join(window.name for window in stage.windows)
                for reader in stage.readers():
                    reads = _Reads(connection, snapshot, part, reader)
                    found += _measured(f"{reader.source.table} for {windows}{of}", reads)
            for lookup in part.lookups:
                if reads_at_most(part, lookup) is None:
                    reads = _Reads(connection, snapshot, part, lookup)
                    found += _measured(f"{lookup.source.table} for last row {lookup.name}{of}", reads)
    return found


def _measured(what: str, reads: _Reads) -> list[Touched]:
    try:
        counts = reads.counts()
    except duckdb.Error:
        return []  # a key cannot be computed for some row: an answer says so, not this
    if counts is None or not len(counts):
        return []
    median, p99 = np.percentile(counts, [50, 99], method="higher")
    return [Touched(what, len(counts), int(median), int(p99), int(counts.max()))]


class _Reads:
    """What the anchors of a plan read of the stored rows behind a stage or lookup."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        snapshot: Snapshot,
        plan: FeaturePlan,
        part: Stage | Lookup,
    ) -> None:
        self.connection = connection
        self.snapshot = snapshot
        self.plan = plan
        self.part = part
        self.types = snapshot.table(part.source.table).columns

    def counts(self) -> np.ndarray | None:
        """How many rows each sampled anchor reads, or None where its key or place is not a matter of stored columns."""
        keys = [_stored(self.plan, key.anchor) for key in self.part.keys]
        order = self._anchor_order()
        if order is None or any(key is None for key in keys):
            return None
        hashed = self._hash([plan_sql(key) for key in keys if key is not None])
        relation = self.snapshot.relation(self.connection, self.plan.table)
        anchors = self.connection.execute(
            f"SELECT {hashed} AS h, {order} AS o FROM {relation} a ORDER BY hash(a.__seq) LIMIT {SAMPLE}"
        ).to_arrow_table()
        if not self._null_matches():
            anchors = anchors.filter(pa.compute.is_valid(anchors.column("h")))
        asked, place = _numbers(anchors, "h"), _numbers(anchors, "o")
        rows, orders = self._rows(np.unique(asked))
        return self._between(asked, place, rows, orders)

    def _hash(self, values: list[str]) -> str:
        """One number for a key; NULL where nothing matches it."""
        typed = [
            f"CAST({value} AS {self.types[self.part.source.stored(key.row)]})"
            for value, key in zip(values, self.part.keys, strict=True)
        ]
        if not typed:
            return "CAST(0 AS UBIGINT)"
        hashed = f"hash({', '.join(typed)})"
        if self._null_matches():
            return hashed
        return f"CASE WHEN {' AND '.join(f'{value} IS NOT NULL' for value in typed)} THEN {hashed} END"

    def _null_matches(self) -> bool:
        return self.part.null_group if isinstance(self.part, Stage) else self.part.null_keys

    def _anchor_order(self) -> str | None:
        """SQL of the place of an anchor ``a`` in the order of the rows, or None where it is computed."""
        if self.part.order is None or (isinstance(self.part, Lookup) and not self._by_time()):
            return "a.__seq" if self.part.source.own else f"{np.iinfo(np.int64).max}"
        value: Expr | None = e.Column(e.ANCHOR, self.plan.time or "", "TIMESTAMP")
        if isinstance(self.part, Stage):
            value = self.part.order_anchor
        stored = _stored(self.plan, value) if value is not None else None
        return (
            f"{order_sql(plan_sql(stored), stored.type)} - {self.part.source.delay}"
            if stored is not None
            else None
        )

    def _by_time(self) -> bool:
        timed = self.plan.time is not None and self.part.source.time is not None
        return timed and self.part.order == self.part.source.time

    def _rows(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The place of each row's key in ``keys`` and its order, for the rows that have one of them."""
        source = self.part.source
        hashed = self._hash([f"r.{quote(source.stored(key.row))}" for key in self.part.keys])
        order = "r.__seq"
        if self.part.order is not None and not (isinstance(self.part, Lookup) and not self._by_time()):
            column = source.stored(self.part.order)
            order = order_sql(f"r.{quote(column)}", self.types[column])
        relation = self.snapshot.relation(self.connection, source.table)
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE __keys AS "
            "SELECT unnest(?::UBIGINT[]) AS h, unnest(range(?))::USMALLINT AS n",
            [keys.tolist(), len(keys)],
        )
        query = (
            f"SELECT k.n, r.o FROM (SELECT {hashed} AS h, {order} AS o FROM {relation} r) r "
            "JOIN __keys k ON k.h = r.h WHERE r.o IS NOT NULL"
        )
        found = self.connection.execute(query).fetchnumpy()
        return np.asarray(found["n"]), np.asarray(found["o"])

    def _between(
        self, asked: np.ndarray, place: np.ndarray, rows: np.ndarray, orders: np.ndarray
    ) -> np.ndarray:
        """How many rows of its key each anchor reads: those up to its place, no older than is asked for."""
        keys, number = np.unique(asked, return_inverse=True)
        # Of 16 bits the stable sort is a radix sort.
        by_key = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[by_key], np.arange(len(keys) + 1))
        orders = orders[by_key]
        reach = self.part.reach() if isinstance(self.part, Stage) else None
        most = reads_most(self.part)
        counts = np.zeros(len(asked), np.int64)
        for key in range(len(keys)):
            of_key = orders[starts[key] : starts[key + 1]]
            if np.any(of_key[1:] < of_key[:-1]):
                of_key = np.sort(of_key)
            mine = number == key
            counts[mine] = np.searchsorted(of_key, place[mine], side="right")
            if reach is not None and self.part.order is not None:
                counts[mine] -= np.searchsorted(
                    of_key, place[mine] + self.part.source.delay - reach, side="left"
                )
        counts = np.maximum(counts, 0)
        return counts if most is None else np.minimum(counts, most)


def reads_most(part: Stage | Lookup) -> int | None:
    """The most rows that a request reads for a stage, whatever there is."""
    derived = part.source.rows
    return (
        part.rows_needed()
        if isinstance(part, Stage) and not (derived is not None and derived.drops)
        else None
    )


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table.column(name).to_numpy())


def _stored(plan: FeaturePlan, value: Expr) -> Expr | None:
    """A value of the anchor row as one of the stored row's, or None where it is computed from other rows."""
    if plan.rows is None:
        return value if e.sources(value) <= {e.ANCHOR} and not _aggregates(value) else None
    missing = False

    def below(node: Expr) -> Expr | None:
        nonlocal missing
        if not isinstance(node, e.Column | e.AggregateRef):
            return None
        assert plan.rows is not None
        found = None
        if isinstance(node, e.Column) and node.source == e.ANCHOR:
            found = _stored(plan.rows, next(o.expr for o in plan.rows.outputs if o.name == node.name))
        missing = missing or found is None
        return found or node

    stored = e.transform(value, below)
    return None if missing else stored


def _aggregates(value: Expr) -> bool:
    return any(isinstance(node, e.AggregateRef) for node in e.walk(value))
