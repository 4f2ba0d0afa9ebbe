"""One bulk evaluation of a plan on DuckDB: the queries of the bulk form, each kept as a temporary table.

DuckDB scans, joins, sorts and computes the scalars. A stage takes sorted columns in and gives feature columns out; it
is the seam where kernels enter.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb

from workbench.plan.bulk_form import BulkForm, Level, steps_of
from workbench.plan.failures import failure
from workbench.plan.model import FeaturePlan
from workbench.plan.render import quote

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
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        plan: FeaturePlan,
        stored: Callable[[str, str], str],
        types: Callable[[str], Mapping[str, str]],
    ) -> None:
        self.connection = connection
        self.plan = plan
        self.form = BulkForm(stored, types, self._table, self._drop, self._step)
        self._numbers = itertools.count()
        self._report: Progress = _silent
        self._begun = 0

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
            query = self.form.features(self.plan, rows, level, head, main=True)
        except duckdb.Error as error:
            raise failure(error, self.plan) from None
        self._step("computing expressions")
        return f"{query} ORDER BY a.__anchor"

    def _table(self, sql: str) -> str:
        """Keep the rows of a query as a temporary table with a name of its own."""
        name = f"__t{next(self._numbers)}"
        self.connection.execute(f"CREATE TEMP TABLE {name} AS {sql}")
        return name

    def _drop(self, name: str) -> None:
        self.connection.execute(f"DROP TABLE {name}")

    def _step(self, what: str) -> None:
        self._report(what, min(self._begun / (steps_of(self.plan) + 2), 0.99))
        self._begun += 1


def carried(name: str) -> str:
    """Return the output name of a carried anchor column; the prefix keeps it apart from the features."""
    return name if name.startswith("__") else f"__{name}"


def _silent(step: str, done: float) -> None:
    """No one asked for progress."""
