"""A plan as plain DuckDB SQL over tables of the same names, for reading and for running elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from workbench.errors import DefinitionError
from workbench.plan.join_form import joined_rows
from workbench.plan.model import FeaturePlan, Lookup, Source
from workbench.plan.render import quote
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage


def by_rowid(table: str) -> str:
    """Return the rows of a table that DuckDB stores, with their order in it as ``__seq``."""
    return f"(SELECT *, rowid AS __seq FROM {quote(table)})"


def plain_sql(
    plan: FeaturePlan,
    tables: Mapping[str, Mapping[str, str]],
    rows: Callable[[str], str] = by_rowid,
    head: Sequence[str] = (),
) -> str:
    """Return a SELECT that gives one feature row for each row of the anchor's table.

    Computed sources are the first queries of its WITH, each under a name ``__rows_<n>``.

    Parameters
    ----------
    plan
        The plan.
    tables
        Column types of each table that the plan reads.
    rows
        Returns SQL for FROM that gives a table's rows and, as ``__seq``, their arrival.
    head
        Columns of the anchors to put before the features: ``__seq`` or anchor columns of the plan.

    Raises
    ------
    DefinitionError
        An anchor without time sees what arrived before it, which plain tables cannot say of each other.
    """
    for part in _all_plans(plan):
        foreign = sorted({lookup.source.table for lookup in part.lookups} - {part.table})
        if part.time is None and foreign:
            raise DefinitionError(
                f"the anchor {part.table} has no time column: its rows see what arrived before them in "
                f"{', '.join(foreign)}, and plain tables do not record that",
                hint="use view.offline(), or create the table with time=",
            )
    return _Writer(tables, rows).query(plan, *head)


def _all_plans(plan: FeaturePlan) -> Iterator[FeaturePlan]:
    yield plan
    for derived in plan.derived():
        yield from _all_plans(derived)


class _Writer:
    def __init__(self, tables: Mapping[str, Mapping[str, str]], rows: Callable[[str], str]) -> None:
        self.tables = tables
        self.rows = rows
        self.names: dict[FeaturePlan, str] = {}
        self.parts: list[str] = []

    def query(self, plan: FeaturePlan, *head: str) -> str:
        anchors, select = self._select(plan, *head)
        parts = [*self.parts, f"__anchors AS ({anchors})"]
        return f"WITH {', '.join(parts)} {select}"

    def _select(self, plan: FeaturePlan, *head: str) -> tuple[str, str]:
        """The query of a plan's anchors, and the query of its features over ``__anchors``, behind ``head``."""
        rows = self._relation(Source(plan.table, None, rows=plan.rows))
        columns = "".join(f", {quote(name)}" for name, _ in plan.anchor_columns)
        anchors = f"SELECT row_number() OVER (ORDER BY __seq) AS __anchor, __seq{columns} FROM {rows}"

        def visible(part: Stage | Lookup, of: str) -> str:
            source = part.source
            types = source.rows.features if source.rows is not None else self.tables[source.table]
            return joined_rows(plan, part, self._relation(source), types, of)

        features = ", ".join([*head, *(quote(name) for name in plan.features)])
        form = RequestForm(plan, visible, "__anchors")
        return anchors, f"SELECT {features} FROM ({form.sql(*head)}) WHERE __keep"

    def _relation(self, source: Source) -> str:
        if source.rows is None:
            return self.rows(source.table)
        if source.rows not in self.names:
            anchors, select = self._select(source.rows, "__seq")
            name = f"__rows_{len(self.names)}"
            self.names[source.rows] = name
            # MATERIALIZED: else DuckDB computes it for every window that reads it.
            self.parts.append(f"{name} AS MATERIALIZED (WITH __anchors AS ({anchors}) {select})")
        return self.names[source.rows]
