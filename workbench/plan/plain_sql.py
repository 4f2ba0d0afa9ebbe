"""A plan as plain DuckDB SQL over tables of the same names, for reading and for running elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from workbench.errors import DefinitionError
from workbench.plan.bulk_form import BulkForm, Level
from workbench.plan.model import FeaturePlan
from workbench.plan.render import quote


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

    It is the bulk form of the plan, with its queries as the parts of a WITH.

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
    parts: list[str] = []

    def keep(sql: str) -> str:
        parts.append(f"__t{len(parts)} AS MATERIALIZED ({sql})")
        return f"__t{len(parts) - 1}"

    form = BulkForm(lambda table, _: rows(table), lambda table: tables[table], keep)
    columns = "".join(f", r.{quote(name)}" for name in plan.request_columns)
    anchors = f"SELECT r.__seq AS __anchor, r.__seq{columns} FROM {rows(plan.table)} r"
    level = Level(stored=True, few=False, narrow=False)
    query = form.features(plan, anchors, level, {quote(name): quote(name) for name in head})
    return f"WITH {', '.join(parts)} {query} ORDER BY a.__anchor"


def _all_plans(plan: FeaturePlan) -> Iterator[FeaturePlan]:
    yield plan
    for derived in plan.derived():
        yield from _all_plans(derived)
