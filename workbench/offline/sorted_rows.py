"""What kernels read of a stage, fetched with DuckDB: rows and anchors of a range of keys, sorted alike.

Keys get dense numbers, those that any anchor has. Rows and anchors of the numbers ``low`` to ``high`` are one
partition; how many keys make one is a matter of memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.offline.lanes import combined
from workbench.plan import expr as e
from workbench.plan.kernel_form import KernelPart, Refusal, split
from workbench.plan.render import plan_sql, quote
from workbench.plan.stages import Stage

#: Bytes of rows and anchors that are in memory at a time.
PARTITION_BYTES = 256 << 20
FEW = 1000

#: FROM text of a reader's rows with ``__seq``, and the types of their columns.
Source = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class Rows:
    """Sorted rows of one reader: arrival numbers, orders, the first row of every key, and columns."""

    ord: npt.NDArray[np.int64]
    seq: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    columns: tuple[pa.Array | None, ...]


@dataclass(frozen=True)
class Asking:
    """Sorted anchors: the number of the anchor, its key (-1: none that a row has), order, seq, and columns.

    ``placed`` is 0 where the order is NULL: such an anchor sees nothing. ``seq`` is the greatest number where the
    anchor is not stored.
    """

    place: npt.NDArray[np.int64]
    key: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    seq: npt.NDArray[np.int64]
    placed: npt.NDArray[np.bool_]
    request: tuple[pa.Array, ...]
    constants: tuple[pa.Array, ...]

    def __len__(self) -> int:
        return len(self.place)


class SortedRows:
    """The rows and anchors of one stage.

    Parameters
    ----------
    connection
        A DuckDB session.
    part
        What is computed.
    anchors
        Name of the temporary table of anchors; their numbers are its row numbers.
    sources
        Where the rows of each reader come from.
    prefix
        A name for tables of its own.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        part: KernelPart,
        anchors: str,
        sources: Sequence[Source],
        prefix: str,
    ) -> None:
        assert isinstance(part.part, Stage)
        self.connection = connection
        self.part = part
        self.stage = part.part
        self.prefix = prefix
        self.anchors = anchors
        self.readers = tuple(reader for reader in part.readers if isinstance(reader, Stage))
        self._made: list[str] = []
        self.keys = self._number_keys(sources)
        self._sources = [source for source, _ in sources]
        self._rows = [self._rows_sql(number, source, types) for number, (source, types) in enumerate(sources)]
        self._asking = self._asking_sql()

    def close(self) -> None:
        """Drop the tables that were made."""
        for name in self._made:
            self.connection.execute(f"DROP TABLE IF EXISTS {name}")

    def partitions(self) -> Iterator[tuple[int, int]]:
        """Yield ranges of keys, low and high, whose rows and anchors fit into memory; the first has keyless anchors."""
        size = self._bytes()
        if size <= PARTITION_BYTES or self.keys <= 1:
            yield -1, self.keys
            return
        self._rows = [self._keep(f"{self.prefix}_r{n}", sql) for n, sql in enumerate(self._rows)]
        self._asking = self._keep(f"{self.prefix}_a", self._asking)
        weight = np.zeros(self.keys + 1, dtype=np.int64)
        for sql in (*self._rows, self._asking):
            found = self.connection.execute(
                f"SELECT k + 1 AS k, count(*) AS n FROM ({sql}) GROUP BY k"
            ).fetchnumpy()
            weight[np.asarray(found["k"])] += np.asarray(found["n"])
        share = np.cumsum(weight) * (size / max(int(weight.sum()), 1)) // PARTITION_BYTES
        ends = np.flatnonzero(np.diff(share, append=share[-1] + 1))
        low = -1
        for end in ends.tolist():
            yield low, end - 1
            low = end

    def rows(self, reader: int, low: int, high: int) -> Rows:
        """Return the rows of a reader whose keys are in a range."""
        sql = self._within(self._rows[reader], low, high)
        table = self.connection.execute(f"{sql} ORDER BY k, o DESC, q DESC").to_arrow_table()
        keys = _numbers(table, "k")
        first = max(low, 0)
        counts = np.bincount(keys - first, minlength=max(high - first + 1, 1))
        starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)]).astype(np.int64)
        columns = []
        for number, column in enumerate(self.part.columns):
            missing = column.members[reader] is None
            columns.append(None if missing else combined(table.column(f"c{number}")))
        return Rows(_numbers(table, "o"), _numbers(table, "q"), starts, tuple(columns))

    def asking(self, low: int, high: int) -> Asking:
        """Return the anchors whose keys are in a range."""
        sql = self._within(self._asking, low, high)
        table = self.connection.execute(f"{sql} ORDER BY k, o, q").to_arrow_table()
        order = combined(table.column("o"))
        placed = order.is_valid().to_numpy(zero_copy_only=False)
        request = [
            combined(table.column(f"c{n}"))
            for n in range(len(self.part.columns) if self.stage.history else 0)
        ]
        constants = [combined(table.column(f"v{n}")) for n in range(len(self.part.constants))]
        return Asking(
            _numbers(table, "p"),
            _numbers(table, "k"),
            order.fill_null(0).to_numpy(),
            _numbers(table, "q"),
            placed,
            tuple(request),
            tuple(constants),
        )

    # -- queries

    def _number_keys(self, sources: Sequence[Source]) -> int:
        """Keep the keys of the anchors with their numbers; returns how many there are."""
        if not self.stage.keys:
            return 1
        values = []
        for number, key in enumerate(self.stage.keys):
            value = plan_sql(key.anchor)
            if len(sources) == 1:
                value = f"CAST({value} AS {sources[0][1][self.readers[0].keys[number].row]})"
            values.append(f"{value} AS k{number}")
        names = [f"k{number}" for number in range(len(values))]
        there = (
            "" if self.stage.null_group else f" WHERE {' AND '.join(f'{name} IS NOT NULL' for name in names)}"
        )
        name = f"{self.prefix}_k"
        self._made.append(name)
        self.connection.execute(
            f"CREATE TEMP TABLE {name} AS SELECT *, CAST(row_number() OVER () - 1 AS INTEGER) AS k FROM "
            f"(SELECT DISTINCT * FROM (SELECT {', '.join(values)} FROM {self.anchors} a){there})"
        )
        return self._count(name)

    def _same_keys(self, values: Sequence[str]) -> str:
        equal = "IS NOT DISTINCT FROM" if self.stage.null_group else "="
        return " AND ".join(f"i.k{number} {equal} {value}" for number, value in enumerate(values))

    def _rows_sql(self, member: int, source: str, types: dict[str, str]) -> str:
        reader = self.readers[member]
        columns = [
            f"{plan_sql(value)} AS c{number}"
            for number, column in enumerate(self.part.columns)
            if (value := column.members[member]) is not None
        ]
        conditions = [f"r.{quote(reader.order)} IS NOT NULL"] if reader.order is not None else []
        alone = split(reader.source.where)
        if not isinstance(alone, Refusal) and alone[0] is not None:
            # The columns are NULL where it does not hold, so that leaving the rows out changes nothing.
            conditions.append(plan_sql(alone[0]))
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        key, join = "0", ""
        if reader.keys:
            key = "i.k"
            join = f" JOIN {self.prefix}_k i ON {self._same_keys([f'r.{quote(k.row)}' for k in reader.keys])}"
        head = [f"{key} AS k", f"{reader.row_order(types)} AS o", "r.__seq AS q"]
        return f"SELECT {', '.join([*head, *columns])} FROM {source} r{join}{where}"

    def _asking_sql(self) -> str:
        key, join = "0", ""
        if self.stage.keys:
            key = "coalesce(i.k, -1)"
            values = [plan_sql(k.anchor) for k in self.stage.keys]
            join = f" LEFT JOIN {self.prefix}_k i ON {self._same_keys(values)}"
        columns = [f"{_request(column.request)} AS c{n}" for n, column in enumerate(self.part.columns)]
        columns = columns if self.stage.history else []
        constants = [f"{plan_sql(value)} AS v{n}" for n, value in enumerate(self.part.constants)]
        head = [
            "a.rowid AS p",
            f"{key} AS k",
            f"CAST({self.stage.order_sql} AS BIGINT) AS o",
            f"coalesce(a.__seq, {np.iinfo(np.int64).max}) AS q",
        ]
        return f"SELECT {', '.join([*head, *columns, *constants])} FROM {self.anchors} a{join}"

    def _within(self, sql: str, low: int, high: int) -> str:
        if low < 0 and high >= self.keys:
            return f"SELECT * FROM ({sql})"
        return f"SELECT * FROM ({sql}) WHERE k BETWEEN {low} AND {high}"

    # -- sizes

    def _bytes(self) -> int:
        columns, anchors = len(self.part.columns), self._count(self.anchors)
        if anchors <= FEW:
            return 0  # rows of so few keys are read at once, without counting them before
        asked = anchors * 8 * (6 + len(self.part.constants) + columns * self.stage.history)
        return asked + sum(self._count(f"{source} r") for source in self._sources) * 8 * (3 + columns)

    def _count(self, relation: str) -> int:
        row = self.connection.execute(f"SELECT count(*) FROM {relation}").fetchone()
        return int(row[0]) if row else 0

    def _keep(self, name: str, sql: str) -> str:
        self._made.append(name)
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        return f"SELECT * FROM {name}"


def _request(value: e.Expr | None) -> str:
    return "NULL" if value is None else plan_sql(value)


def _numbers(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    return np.ascontiguousarray(combined(table.column(name)).to_numpy(zero_copy_only=False), dtype=np.int64)
