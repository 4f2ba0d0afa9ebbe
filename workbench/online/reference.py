"""The reference driver: the rows of the request's keys into a private DuckDB session, in the request form.

Any DuckDB function works here. Statements are prepared once; rows change behind relations that stay registered: a few
rows of a single request lie in slots, everything else goes over Arrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from workbench.online.batch import BatchStatements
from workbench.online.rows import VisibleRows
from workbench.online.single import SingleStatement
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.stages import Stage, stages
from workbench.storage import Storage
from workbench.storage.session import connect


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
        readers = [reader for stage in stages(plan) for reader in stage.readers()]
        parts: tuple[Lookup | Stage, ...] = (*plan.lookups, *readers)
        self.rows = [VisibleRows(plan, part, storage) for part in parts]
        self.single: SingleStatement | None = None
        self.batch: BatchStatements | None = None
        if SingleStatement.suits(plan, self.rows):
            self.single = SingleStatement(self.connection, plan, self.rows)

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
        if rows.num_rows == 1 and self.single is not None:
            found = self.single.answer(rows, seqs[0], cut)
            if found is not None:
                return found
        if self.batch is None:
            self.batch = BatchStatements(self.connection, self.plan, self.rows)
        return self.batch.answer(rows, seqs, cut)

    def close(self) -> None:
        """Close the session."""
        self.connection.close()
