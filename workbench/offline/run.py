"""One bulk evaluation of a plan: the queries of the bulk form, each kept as a temporary table of DuckDB.

DuckDB scans, joins, sorts and computes the scalars. A stage takes sorted columns in and gives feature columns out:
kernels compute it where they can, DuckDB's window functions where not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from workbench.plan.bulk_form import BulkForm, Computed, Level, ReaderRows, steps_of
from workbench.plan.failures import failure
from workbench.plan.kernel_bulk import bulk_part
from workbench.plan.kernel_form import KernelPart, Refusal
from workbench.plan.model import FeaturePlan
from workbench.plan.render import aggregate_name, quote
from workbench.plan.stages import Stage

#: Called with what is being done and how much of the whole is done, 0 to 1.
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Anchors:
    """The anchor rows of a run: FROM text with ``__seq`` and the anchor's columns.

    ``stored`` says that every row has a ``__seq``, ``few`` that there are so few that each one's rows are best fetched
    by its keys. ``where`` is SQL over the rows; it restricts which anchors are answered, never what they see. The
    columns ``carry`` come before the features; rows come in the order of ``order``.
    """

    relation: str
    stored: bool
    few: bool = False
    where: str | None = None
    carry: tuple[str, ...] = ()
    order: str = "__seq"


class OfflineRun:
    """Evaluates a plan for many anchor rows.

    Parameters
    ----------
    connection
        A DuckDB session that can read the sources; the run makes temporary tables in it.
    plan
        The plan.
    stored
        Returns FROM text, with ``__seq``, of a table by name; the second argument is text that follows ``FROM … r``
        over the table's columns and leaves rows out.
    types
        Returns the column types of a table by name.
    kernels
        Whether kernels are loaded and may compute stages.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        plan: FeaturePlan,
        stored: Callable[[str, str], str],
        types: Callable[[str], Mapping[str, str]],
        kernels: bool = False,
    ) -> None:
        self.connection = connection
        self.plan = plan
        compute = self._compute if kernels else None
        self.form = BulkForm(stored, types, self._table, self._drop, self._step, compute, self._arranged)
        #: The stages that DuckDB computed because kernels do not give its value for some row.
        self.given_back: list[Stage] = []
        self._registered: set[str] = set()
        self._numbers = itertools.count()
        self._report: Progress = _silent
        self._begun = 0
        self._doing = ""

    def run(self, anchors: Anchors, progress: Progress | None = None) -> str:
        """Compute all features and return the SELECT that reads them, one row per anchor in arrival order.

        The columns ``carry`` of the anchors come first, then the features.

        Raises
        ------
        RowError
            When a value cannot be computed, such as an integer sum beyond BIGINT.
        """
        self._report = progress or _silent
        self._step(f"reading {self.plan.table}")
        carry = {f"__carry_{number}": name for number, name in enumerate(anchors.carry)}
        columns = [f"a.{anchors.order} AS __anchor", "a.__seq"]
        columns += [f"a.{quote(name)} AS {column}" for column, name in carry.items()]
        columns += [f"a.{quote(name)}" for name in self.plan.request_columns]
        where = f" WHERE {anchors.where}" if anchors.where else ""
        rows = f"SELECT {', '.join(columns)} FROM {anchors.relation} a{where}"
        level = Level(anchors.stored, anchors.few, narrow=anchors.few, carry=tuple(carry))
        head = {column: quote(carried(name)) for column, name in carry.items()}
        try:
            query = self.form.features(self.plan, rows, level, head, main=True, arranged=True)
        except duckdb.Error as error:
            raise failure(error, self.plan) from None
        self._step("computing expressions")
        return query if self.form.arranged else f"{query} ORDER BY a.__anchor"

    def _table(self, sql: str) -> str:
        """Keep the rows of a query as a temporary table with a name of its own."""
        name = f"__t{next(self._numbers)}"
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        return name

    def _drop(self, name: str) -> None:
        if name in self._registered:
            self._registered.remove(name)
            self.connection.unregister(name)
        else:
            self.connection.execute(f"DROP TABLE {name}")

    def _arranged(self, name: str) -> str:
        found = self.connection.execute(f"SELECT __anchor FROM {name}").fetchnumpy()["__anchor"]
        if np.all(found[1:] > found[:-1]):
            return name
        return self._table(f"SELECT * FROM {name} ORDER BY __anchor")

    # -- stages on kernels

    def _compute(self, plan: FeaturePlan, stage: Stage, anchors: str, rows: ReaderRows) -> Computed | None:
        part = bulk_part(plan, stage)
        if isinstance(part, Refusal) or "rowid" in {name.casefold() for name in plan.request_columns}:
            return None
        sources = [rows(reader) for reader in stage.readers()]
        columns = self._columns(part, anchors, sources)
        if columns is None:
            self.given_back.append(stage)
            return None
        name = f"__k{next(self._numbers)}"
        self.connection.register(name, pa.table({aggregate_name(n): c for n, c in columns.items()}))
        self._registered.add(name)
        typed = ", ".join(
            f"CAST({aggregate_name(column)} AS {kind}) AS {aggregate_name(column)}"
            for column, kind in zip(part.names, part.types, strict=True)
        )
        rest = tuple(a for a in stage.aggregates if a.name in part.refused)
        return Computed(f"(SELECT {typed} FROM {name})", name, rest)

    def _columns(
        self, part: KernelPart, anchors: str, sources: list[tuple[str, dict[str, str]]]
    ) -> dict[str, pa.Array | pa.ChunkedArray] | None:
        """The values of a part's calls, or None where kernels do not give DuckDB's."""
        from workbench.offline.kernel_stage import NotOnKernels, stage_columns
        from workbench.offline.sorted_rows import SortedRows

        count = self.connection.execute(f"SELECT count(*) FROM {anchors}").fetchone()
        made = None
        try:
            made = SortedRows(self.connection, part, anchors, sources, f"__p{next(self._numbers)}")
            return stage_columns(made, part, count[0] if count else 0, self._within)
        except (duckdb.Error, NotOnKernels):
            return None  # DuckDB says what the value is, or why there is none
        finally:
            if made is not None:
                made.close()

    # -- progress

    def _step(self, what: str) -> None:
        self._doing = what
        self._report(what, min(self._begun / (steps_of(self.plan) + 2), 0.99))
        self._begun += 1

    def _within(self, share: float) -> None:
        """A share of the step that began last is done."""
        done = (self._begun - 1 + share) / (steps_of(self.plan) + 2)
        self._report(self._doing, min(done, 0.99))


def carried(name: str) -> str:
    """Return the output name of a carried anchor column; the prefix keeps it apart from the features."""
    return name if name.startswith("__") else f"__{name}"


def _silent(step: str, done: float) -> None:
    """No one asked for progress."""
