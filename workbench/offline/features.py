"""Features of many anchor rows: of the stored rows, of a spine, or of a few rows for a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from workbench.errors import RowError, did_you_mean
from workbench.offline.result import Result
from workbench.offline.run import Anchors, OfflineRun, Progress, carried, reads_lookups
from workbench.plan.failures import failure
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql, quote
from workbench.storage import Snapshot, Storage
from workbench.values import frames
from workbench.values.coerce import to_table
from workbench.values.types import arrow_schema

BATCH_ROWS = 100_000

#: The column by which a spine row says which stored row it is, where the anchor's table has none of that name.
SPINE_SEQ = "seq"


class OfflineFeatures:
    """Bulk evaluation of one plan over a project's storage.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The plan.
    progress
        Called with each step.
    """

    def __init__(self, storage: Storage, plan: FeaturePlan, progress: Progress | None = None) -> None:
        self.storage = storage
        self.plan = plan
        self.progress = progress
        self._columns = storage.table(plan.table).columns

    def stored(self, where: str | None = None, carry: Sequence[str] = (), cut: int | None = None) -> Result:
        """Return the features of every stored anchor row, each as of its own position.

        Parameters
        ----------
        where
            SQL over the anchor rows ``a``: which of them are answered.
        carry
            Columns of the anchors to put before the features, under the names of :func:`carried`; ``__seq`` is the
            arrival number.
        cut
            Rows of a greater seq are not known; by default all committed rows are.
        """

        def anchors(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Anchors:
            return Anchors(snapshot.relation(connection, self.plan.table), True, False, where, tuple(carry))

        return self._result(anchors, tuple(carry), cut)

    def preview(self, rows: int, where: str | None = None) -> Result:
        """Return the features of a spread sample of stored anchors that includes the newest, in arrival order.

        The rows are evaluated in the request form over the history of their own keys only, so the cost does not grow
        with the history of other keys.
        """

        def anchors(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Anchors:
            relation = snapshot.relation(connection, self.plan.table)
            seqs = self._sample(connection, relation, rows, where)
            return Anchors(relation, True, True, _among("a.__seq", seqs))

        return self._result(anchors, (), None)

    def at(self, seqs: Sequence[int], cut: int) -> Result:
        """Return ``__seq``, the request columns (carried) and the features of some stored anchors."""
        carry = ("__seq", *self.plan.request_columns)
        return self.stored(_among("a.__seq", seqs), carry, cut)

    def spine(self, rows: Any, carry_row: bool = False, cut: int | None = None) -> Result:
        """Return the features of given anchor rows, in their order.

        Parameters
        ----------
        rows
            Anchor rows: dicts, a DataFrame or Arrow. Columns that the view does not use may be missing, others are
            ignored. Rows that carry ``seq`` are the stored rows of that arrival number; the others see everything up
            to their time, and never each other.
        carry_row
            Put the row's number before the features as ``__row``.
        """
        spine = self.spine_rows(rows)

        def anchors(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Anchors:
            connection.register("__spine", spine)
            stored = spine.num_rows > 0 and spine.column("__seq").null_count == 0
            return Anchors("__spine", stored, False, None, ("__row",) if carry_row else (), "__row")

        return self._result(anchors, ("__row",) if carry_row else (), cut)

    # -- running

    def _result(self, anchors: Any, carry: tuple[str, ...], cut: int | None) -> Result:
        known = cut if cut is not None else self.storage.last_seq()
        types: dict[str, str] = {"__seq": "BIGINT", "__row": "BIGINT", **self._columns}
        columns = {carried(name): types[name] for name in carry} | self.plan.features

        def produce() -> pa.RecordBatchReader:
            snapshot = self.storage.snapshot(known)
            connection = self.storage.connect(temp_directory=self.storage.path / "spill")
            run = OfflineRun(
                connection,
                self.plan,
                lambda table: snapshot.relation(connection, table),
                lambda table: snapshot.table(table).columns,
            )
            query = run.run(anchors(connection, snapshot), self.progress)
            try:
                reader = connection.execute(query).to_arrow_reader(BATCH_ROWS)
            except duckdb.Error as error:
                raise failure(error, self.plan) from None
            schema = arrow_schema(columns)
            return pa.RecordBatchReader.from_batches(
                schema, self._batches(reader, schema, snapshot, connection)
            )

        metadata = {"plan_hash": self.plan.hash, "cut": str(known), "table": self.plan.table}
        return Result(columns, produce, metadata)

    def _batches(
        self,
        reader: pa.RecordBatchReader,
        schema: pa.Schema,
        snapshot: Snapshot,
        connection: duckdb.DuckDBPyConnection,
    ) -> Any:
        """Yield the batches, then free what the query held."""
        try:
            for batch in reader:
                yield pa.RecordBatch.from_arrays(
                    [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)],
                    schema=schema,
                )
        except (duckdb.Error, OSError, pa.ArrowInvalid) as error:
            if isinstance(error, duckdb.Error):
                raise failure(error, self.plan) from None
            raise RowError(f"a value cannot be computed: {error}") from None
        finally:
            connection.close()
            snapshot.close()
        if self.progress:
            self.progress("done", 1.0)

    # -- anchors

    def _sample(
        self, connection: duckdb.DuckDBPyConnection, relation: str, rows: int, where: str | None
    ) -> list[int]:
        """The newest row and others spread over the table: the same ones at every call."""
        conditions = [f"({where})"] if where else []
        if self.plan.where is not None and not reads_lookups(self.plan):
            conditions.append(f"({plan_sql(self.plan.where)})")
        chosen = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        newest = f"a.{quote(self.plan.time)} DESC, a.__seq DESC" if self.plan.time else "a.__seq DESC"
        found = connection.execute(
            f"WITH c AS (SELECT a.__seq, row_number() OVER () AS n FROM "
            f"(SELECT a.__seq FROM {relation} a{chosen} ORDER BY hash(a.__seq) LIMIT {max(rows - 1, 0)}) a) "
            f"SELECT __seq FROM c UNION "
            f"SELECT __seq FROM (SELECT a.__seq FROM {relation} a{chosen} ORDER BY {newest} LIMIT 1)"
        ).fetchall()
        return [seq for (seq,) in found][: max(rows, 1)]

    def spine_rows(self, rows: Any) -> pa.Table:
        """Return a spine with the anchor's columns that it has, ``__seq`` and ``__row`` (its number)."""
        table = _as_arrow(rows, self._columns)
        by_folded = {name.casefold(): name for name in table.column_names}
        for name in self.plan.request_columns:
            if name.casefold() not in by_folded:
                close = did_you_mean(name, table.column_names)
                raise RowError(
                    f"the spine has no column {name!r}, which the view uses"
                    + (f"; {close}" if close else ""),
                    field=name,
                )
        present = {name: kind for name, kind in self._columns.items() if name.casefold() in by_folded}
        wanted = table.select([by_folded[name.casefold()] for name in present])
        coerced = to_table(present, wanted)
        time = self.plan.time
        if time is not None and coerced.column(time).null_count:
            row = coerced.column(time).is_null().to_pylist().index(True)
            raise RowError(f"the spine's time {time!r} is NULL", field=time, row=row)
        seq = pa.nulls(table.num_rows, pa.int64())
        if SPINE_SEQ in by_folded and SPINE_SEQ not in {name.casefold() for name in self._columns}:
            seq = to_table({SPINE_SEQ: "BIGINT"}, table.select([by_folded[SPINE_SEQ]])).column(SPINE_SEQ)
        return coerced.append_column("__seq", seq).append_column(
            "__row", pa.array(range(table.num_rows), pa.int64())
        )


def _among(column: str, seqs: Sequence[int]) -> str:
    return f"{column} IN ({', '.join(str(seq) for seq in seqs) or 'NULL'})"


def _as_arrow(rows: Any, columns: Mapping[str, str]) -> pa.Table:
    """Rows of any kind as an Arrow table that keeps the columns the anchor does not know."""
    if isinstance(rows, pa.Table):
        return rows
    if isinstance(rows, dict):
        rows = [rows]
    if isinstance(rows, list):
        return _from_dicts(rows, columns)
    if frames.is_pandas(rows):
        return pa.Table.from_pandas(rows, preserve_index=False)
    stream = frames.open_stream(rows)
    if stream is None:
        raise RowError("a spine is a list of dicts, a DataFrame, an Arrow table or a Result")
    return stream.read_all()


def _from_dicts(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> pa.Table:
    """Dicts as an Arrow table of those anchor columns that any of them has, and ``seq``."""
    types = {SPINE_SEQ: "BIGINT"} | dict(columns)
    given = {name.casefold() for row in rows for name in row}
    present = {name: kind for name, kind in types.items() if name.casefold() in given}
    folded = {name.casefold() for name in present}
    return to_table(present, [{n: v for n, v in row.items() if n.casefold() in folded} for row in rows])
