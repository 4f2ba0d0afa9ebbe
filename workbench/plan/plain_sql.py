"""A plan as plain DuckDB SQL over tables of the same names, for reading and for running elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.errors import DefinitionError
from workbench.plan.join_form import joined_rows
from workbench.plan.model import FeaturePlan, Lookup
from workbench.plan.render import quote
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage


def plain_sql(plan: FeaturePlan, tables: Mapping[str, Mapping[str, str]]) -> str:
    """Return a SELECT that gives one feature row for each row of the anchor's table.

    Parameters
    ----------
    plan
        The plan.
    tables
        Column types of each table that the plan reads.

    Raises
    ------
    DefinitionError
        An anchor without time sees what arrived before it, which plain tables cannot say of each other.
    """
    if plan.time is None and len(plan.tables()) > 1:
        raise DefinitionError(
            f"the anchor {plan.table} has no time column: its rows see what arrived before them in other tables, "
            "and plain tables do not record that",
            hint="use view.offline(), or create the table with time=",
        )

    def rows(part: Stage | Lookup, anchors: str) -> str:
        table = part.source.table
        return joined_rows(plan, part, lambda _: _arrivals(table), tables[table], anchors)

    columns = "".join(f", {quote(name)}" for name in plan.request_columns)
    anchors = (
        f"SELECT row_number() OVER (ORDER BY __seq) AS __anchor, __seq{columns} FROM {_arrivals(plan.table)}"
    )
    features = ", ".join(quote(name) for name in plan.features)
    form = RequestForm(plan, rows, "__anchors")
    return f"WITH __anchors AS ({anchors}) SELECT {features} FROM ({form.sql()}) WHERE __keep"


def _arrivals(table: str) -> str:
    return f"(SELECT *, rowid AS __seq FROM {quote(table)})"
