"""The reference driver: the rows of the request's keys into a private DuckDB session, in the request form.

Any DuckDB function works here. Statements are prepared once; rows change behind relations that stay registered: a few
rows of a single request lie in slots, everything else goes over Arrow.

Where a plan stands on other plans, a driver of each of these gives the anchor rows and the rows of derived sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from workbench.catalog import functions
from workbench.errors import RowError
from workbench.online.batch import BatchStatements
from workbench.online.rows import VisibleRows
from workbench.online.single import SingleStatement
from workbench.plan.failures import failure
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.stages import Stage, stages
from workbench.storage import Storage
from workbench.storage.session import connect
from workbench.values.types import arrow_schema

#: How many rows of a derived source are computed at once; each of them may see its whole history.
DERIVED_ROWS = 512

#: What stands instead of ``kept`` where a plan below has left the row out.
LEFT_OUT_BELOW = None


class ReferenceDriver:
    """Answers anchor rows one batch at a time; not thread-safe.

    Parameters
    ----------
    storage
        The project's storage; its indexes for the plan must exist.
    plan
        The plan.
    """

    def __init__(
        self,
        storage: Storage,
        plan: FeaturePlan,
        _drivers: dict[FeaturePlan, ReferenceDriver] | None = None,
    ) -> None:
        self.storage = storage
        self.plan = plan
        self.connection = connect(threads=1, by_row=True)
        functions.add_to(self.connection, storage, plan, by_row=True)
        #: The drivers of all plans below the outermost one; where a plan is used twice there is one.
        self._drivers = {} if _drivers is None else _drivers
        self._below = None if plan.rows is None else self._driver(plan.rows)
        readers = [reader for stage in stages(plan) for reader in stage.readers()]
        parts: tuple[Lookup | Stage, ...] = (*plan.lookups, *readers)
        self.rows = [VisibleRows(plan, part, storage, self._driver) for part in parts]
        self._schema = arrow_schema(plan.features)
        self.single: SingleStatement | None = None
        self.batch: BatchStatements | None = None
        if SingleStatement.suits(plan, self.rows):
            self.single = SingleStatement(self.connection, plan, self.rows)

    def answer(self, rows: pa.Table, seqs: Sequence[int | None], cut: int) -> list[tuple[Any, ...]]:
        """Return ``(kept, *features)`` of each row, and ``(None,)`` where a plan below leaves it out.

        Parameters
        ----------
        rows
            Anchor rows with the plan's request columns.
        seqs
            The position of each row among equal times: None for a row that is not stored.
        cut
            Rows of a greater seq are not known.

        Raises
        ------
        duckdb.Error
            When a value cannot be computed.
        RowError
            When a value of a row that they see cannot be computed.
        """
        if self._below is None:
            return self._run(rows, seqs, cut).fetchall()
        kept, rows, seqs = self._anchors(self._below, rows, seqs, cut)
        found = iter(self._run(rows, seqs, cut).fetchall() if rows.num_rows else [])
        return [next(found) if keep else (LEFT_OUT_BELOW,) for keep in kept]

    def derive(
        self, rows: pa.Table, seqs: Sequence[int | None], cut: int
    ) -> tuple[npt.NDArray[np.bool_], pa.Table]:
        """Return which anchor rows the plan keeps, and the features of those.

        Raises
        ------
        RowError
            When a value cannot be computed; it names the row.
        """
        masks, tables = [], []
        for begin in range(0, rows.num_rows, DERIVED_ROWS):
            some, numbers = rows.slice(begin, DERIVED_ROWS), seqs[begin : begin + DERIVED_ROWS]
            try:
                kept, table = self._derive(some, numbers, cut)
            except duckdb.Error as error:
                raise self._named(error, some, numbers, cut) from None
            masks.append(kept)
            tables.append(table)
        if not tables:
            return np.zeros(0, bool), self._schema.empty_table()
        return np.concatenate(masks), pa.concat_tables(tables)

    def close(self) -> None:
        """Close the sessions."""
        self.connection.close()
        for driver in self._drivers.values():
            driver.connection.close()

    # -- one plan

    def _run(self, rows: pa.Table, seqs: Sequence[int | None], cut: int) -> duckdb.DuckDBPyConnection:
        if rows.num_rows == 1 and self.single is not None:
            found = self.single.answer(rows, seqs[0], cut)
            if found is not None:
                return found
        if self.batch is None:
            self.batch = BatchStatements(self.connection, self.plan, self.rows)
        return self.batch.answer(rows, seqs, cut)

    # -- plans on plans

    def _driver(self, plan: FeaturePlan) -> ReferenceDriver:
        found = self._drivers.get(plan)
        if found is None:
            found = self._drivers[plan] = ReferenceDriver(self.storage, plan, self._drivers)
        return found

    @staticmethod
    def _anchors(
        below: ReferenceDriver, rows: pa.Table, seqs: Sequence[int | None], cut: int
    ) -> tuple[npt.NDArray[np.bool_], pa.Table, Sequence[int | None]]:
        """Which rows the plan below keeps, then its outputs for them and their positions."""
        kept, anchors = below._derive(rows, seqs, cut)
        if not kept.all():
            seqs = [seq for seq, keep in zip(seqs, kept, strict=True) if keep]
        return kept, anchors, seqs

    def _derive(
        self, rows: pa.Table, seqs: Sequence[int | None], cut: int
    ) -> tuple[npt.NDArray[np.bool_], pa.Table]:
        kept = np.ones(rows.num_rows, bool)
        if self._below is not None:
            kept, rows, seqs = self._anchors(self._below, rows, seqs, cut)
        if not rows.num_rows:
            return kept, self._schema.empty_table()
        found = self._run(rows, seqs, cut).to_arrow_table()
        keep = np.array(found.column(0).to_pylist(), bool)
        if not keep.all():
            found = found.filter(found.column(0))
            kept[kept] = keep
        columns = [
            column if column.type == field.type else column.cast(field.type)
            for column, field in zip(found.columns[1:], self._schema, strict=True)
        ]
        return kept, pa.Table.from_arrays(columns, schema=self._schema)

    def _named(self, error: duckdb.Error, rows: pa.Table, seqs: Sequence[int | None], cut: int) -> Exception:
        """The error of the first row that cannot be computed, with its arrival number."""
        for index, seq in enumerate(seqs):
            try:
                self._derive(rows.slice(index, 1), [seq], cut)
            except duckdb.Error as alone:
                found = failure(alone, self.plan)
                if not isinstance(found, RowError):
                    return found
                where = f"row seq {seq} of {self.plan.table}"
                return RowError(f"{where}: {found.message}", hint=found.hint, field=found.field)
        return failure(error, self.plan)
