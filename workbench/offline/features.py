"""Features of many anchor rows: of the stored rows, of a spine, or of a few rows for a preview."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from workbench.catalog import functions
from workbench.catalog.expiry import answers_from
from workbench.errors import FunctionError, RowError, WorkbenchError
from workbench.functions import probing
from workbench.offline.kernel_parts import load_kernels, uses_kernels
from workbench.offline.result import Result
from workbench.offline.run import Anchors, OfflineRun, Progress, carried
from workbench.offline.spine import spine_rows, with_stored_seqs
from workbench.plan.bulk_form import filters_anchors
from workbench.plan.failures import failure, function_failure
from workbench.plan.kernel_bulk import whole_in_bulk
from workbench.plan.model import FeaturePlan
from workbench.plan.render import plan_sql, quote
from workbench.storage import Snapshot, Storage
from workbench.storage.artifacts import KERNELS
from workbench.storage.session import DEFAULT_THREADS, hold
from workbench.values.types import arrow_schema

BATCH_ROWS = 100_000
#: What DuckDB may use where kernels compute the windows: it scans, joins and sorts, and spills what is more.
MEMORY = "1GB"


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
    repeatable
        Give the same floats at every run, to the last bit: what DuckDB aggregates is then computed on one thread, since
        several add in any order. What kernels compute is the same at any rate.
    """

    def __init__(
        self,
        storage: Storage,
        plan: FeaturePlan,
        progress: Progress | None = None,
        repeatable: bool = False,
    ) -> None:
        self.storage = storage
        self.plan = plan
        self.progress = progress
        self.repeatable = repeatable
        #: Whether kernels computed all aggregates of what was run last, so that its floats are exact to the bit.
        self.exact = False
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
            relation = snapshot.relation(connection, self.plan.table)
            return Anchors(relation, True, where=self._answerable(snapshot, where), carry=tuple(carry))

        return self._result(anchors, tuple(carry), cut, where or "")

    def preview(self, rows: int) -> Result:
        """Return the features of a spread sample of stored anchors that includes the newest, in arrival order.

        Only the history of their own keys is read, so the cost does not grow with that of other keys. Kernels that are
        compiled already compute the same bits as for requests; a preview does not wait for them to be compiled.
        """

        def anchors(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Anchors:
            relation = snapshot.relation(connection, self.plan.table)
            seqs = self._sample(connection, relation, rows)
            return Anchors(snapshot.relation(connection, self.plan.table, seqs=seqs), stored=True, few=True)

        return self._result(anchors, (), None, few=True)

    def at(self, seqs: Sequence[int], cut: int) -> Result:
        """Return ``__seq`` and the features of some stored anchors, without those that the view's WHERE leaves out."""

        def anchors(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Anchors:
            relation = snapshot.relation(connection, self.plan.table, seqs=seqs)
            return Anchors(relation, stored=True, carry=("__seq",))

        return self._result(anchors, ("__seq",), cut)

    def anchors(self, seqs: Sequence[int], cut: int) -> pa.Table:
        """Return ``__seq`` and the request columns of some stored anchors, in arrival order."""
        names = ", ".join(["__seq", *(quote(name) for name in self.plan.request_columns)])
        with self.storage.snapshot(cut) as snapshot, self.storage.connect() as connection:
            relation = snapshot.relation(connection, self.plan.table, seqs=seqs)
            found = connection.execute(f"SELECT {names} FROM {relation} ORDER BY __seq").to_arrow_table()
        return found.cast(arrow_schema({"__seq": "BIGINT", **self.plan.request_columns}))

    def spine(self, rows: Any, carry_row: bool = False, cut: int | None = None) -> Result:
        """Return the features of given anchor rows, in their order.

        Parameters
        ----------
        rows
            Anchor rows: dicts, a DataFrame or Arrow. Columns that the view does not use may be missing, others are
            ignored. Rows that carry ``seq`` are the stored rows of that arrival number, and so are rows with the id and
            the time of a stored one; the others see everything up to their time. They never see each other.
        carry_row
            Put the row's number before the features as ``__row``.
        """
        spine = spine_rows(self.plan, self._columns, rows)

        def anchors(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Anchors:
            placed = with_stored_seqs(connection, snapshot, snapshot.table(self.plan.table), spine)
            self._warn_of_expired(snapshot, placed)
            hold(connection, "__spine", placed)
            stored = placed.num_rows > 0 and placed.column("__seq").null_count == 0
            return Anchors("__spine", stored, False, None, ("__row",) if carry_row else (), "__row")

        return self._result(anchors, ("__row",) if carry_row else (), cut)

    # -- rows that have expired

    def _first(self, snapshot: Snapshot) -> int | None:
        """The first time (µs) at which anchors see all rows that they should; None when nothing has expired."""
        floors = snapshot.floors()
        return answers_from(self.plan, floors) if floors and self.plan.base.time is not None else None

    def _answerable(self, snapshot: Snapshot, where: str | None) -> str | None:
        """A condition on stored anchors, and that no row is gone that they should see."""
        first = self._first(snapshot)
        if first is None:
            return where
        known = f"a.{quote(str(self.plan.base.time))} >= make_timestamp({first})"
        return known if where is None else f"({where}) AND {known}"

    def _warn_of_expired(self, snapshot: Snapshot, spine: pa.Table) -> None:
        first = self._first(snapshot)
        if first is None:
            return
        times = spine.column(str(self.plan.base.time)).cast(pa.timestamp("us"))
        early = pc.sum(pc.less(times, pa.scalar(first, pa.timestamp("us")))).as_py() or 0
        if early:
            begin = datetime(1970, 1, 1) + timedelta(microseconds=first)
            warnings.warn(
                f"{early:,} rows are before {begin.isoformat()}Z: rows that they should see have expired",
                stacklevel=2,
            )

    # -- running

    def _result(
        self,
        anchors: Any,
        carry: tuple[str, ...],
        cut: int | None,
        condition: str = "",
        few: bool = False,
    ) -> Result:
        known = cut if cut is not None else self.storage.last_seq()
        types: dict[str, str] = {"__seq": "BIGINT", "__row": "BIGINT", **self._columns}
        columns = {carried(name): types[name] for name in carry} | self.plan.features

        def produce() -> pa.RecordBatchReader:
            snapshot = self.storage.snapshot(known)
            opened: list[duckdb.DuckDBPyConnection] = []
            schema = arrow_schema(columns)
            try:
                reader = self._started(
                    opened, snapshot, anchors, condition, self._has_kernels(compile=not few)
                )
            except BaseException as error:
                for connection in opened:
                    connection.close()
                snapshot.close()
                if isinstance(error, FunctionError):
                    raise self._placed(error, anchors, known, condition) from None
                raise
            connection = opened[-1]
            return pa.RecordBatchReader.from_batches(
                schema, placed(self._batches(reader, schema, snapshot, connection))
            )

        def placed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            try:
                yield from batches
            except FunctionError as error:
                raise self._placed(error, anchors, known, condition) from None

        metadata = {"plan_hash": self.plan.hash, "cut": str(known), "table": self.plan.table}
        return Result(columns, produce, metadata, self.plan.kinds)

    def _has_kernels(self, compile: bool) -> bool:
        """Whether some stage runs on kernels and they are loaded; compiled first where they are not yet, if wanted."""
        return uses_kernels(self.plan) and load_kernels(self.storage.path / KERNELS, compile, self.progress)

    def _started(
        self,
        opened: list[duckdb.DuckDBPyConnection],
        snapshot: Snapshot,
        anchors: Any,
        condition: str,
        kernels: bool,
    ) -> pa.RecordBatchReader:
        """Run all but the last query, in a session that is added to ``opened``."""
        whole = kernels and whole_in_bulk(self.plan)
        connection = self.storage.connect(
            threads=DEFAULT_THREADS if whole or not self.repeatable else 1,
            memory_limit=MEMORY if whole else None,
            temp_directory=self.storage.path / "spill",
        )
        opened.append(connection)
        functions.add_to(connection, self.storage, self.plan, condition)
        run = OfflineRun(
            connection,
            self.plan,
            lambda table, narrowing: snapshot.relation(connection, table, narrowing=narrowing),
            lambda table: snapshot.table(table).columns,
            kernels,
        )
        query = run.run(anchors(connection, snapshot), self.progress)
        if whole and run.given_back:
            # DuckDB's windows want other settings than kernels: more memory, and one thread to be repeatable.
            connection.close()
            return self._started(opened, snapshot, anchors, condition, kernels=False)
        self.exact = whole
        try:
            return connection.execute(query).to_arrow_reader(BATCH_ROWS)
        except duckdb.Error as error:
            raise failure(error, self.plan) from None

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
            if (of_function := function_failure(str(error))) is not None:
                raise of_function from None
            raise RowError(f"a value cannot be computed: {error}") from None
        finally:
            connection.close()
            snapshot.close()
        if self.progress:
            self.progress("done", 1.0)

    def _placed(self, error: FunctionError, anchors: Any, cut: int, condition: str) -> FunctionError:
        """The error of a Python function with the first row that it fails for, where an output calls it."""
        probe = probing(self.plan, error.function)
        if probe is None:
            return error
        place = ""

        def numbered(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Anchors:
            nonlocal place
            asked = anchors(connection, snapshot)
            place = asked.order
            return dataclasses.replace(asked, carry=(place,))

        try:
            search = OfflineFeatures(self.storage, probe)
            for batch in search._result(numbered, ("__seq",), cut, condition).to_reader():
                for number, reason in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    found = function_failure(reason or "")
                    if found is not None:
                        return _at_row(found, place, number)
        except WorkbenchError:
            pass  # something else fails too: the message stays without the row
        return error

    # -- anchors

    def _sample(self, connection: duckdb.DuckDBPyConnection, relation: str, rows: int) -> list[int]:
        """The newest row and others spread over the table: the same ones at every call."""
        where = ""
        base = self.plan.base
        if base.where is not None and filters_anchors(base):
            where = f" WHERE {plan_sql(base.where)}"
        newest = f"a.{quote(base.time)} DESC, a.__seq DESC" if base.time else "a.__seq DESC"
        found = [
            seq
            for order, limit in ((newest, 1), ("hash(a.__seq)", rows))
            for (seq,) in connection.execute(
                f"SELECT a.__seq FROM {relation} a{where} ORDER BY {order} LIMIT {limit}"
            ).fetchall()
        ]
        return list(dict.fromkeys(found))[:rows]


def _at_row(error: FunctionError, place: str, number: int) -> FunctionError:
    """The error with its row: the number in a spine, or the arrival number of a stored row."""
    if place == "__row":
        return FunctionError(f"row {number}: {error.message}", error.function, row=number)
    return FunctionError(
        f"the row of seq {number}: {error.message}",
        error.function,
        hint=f"project.sql() or view.why({number}, ...) shows it",
    )
