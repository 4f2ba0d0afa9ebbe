"""From a query's text, or a user's Ibis expression, to its plan with exact output types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ibis.expr.types as ir
import msgspec

from workbench.errors import DefinitionError, Position, WorkbenchError
from workbench.plan.analyze import analyze
from workbench.plan.expr import Expr, Literal
from workbench.plan.ibis_query import query_of
from workbench.plan.model import FeaturePlan, Lookup, ViewRef
from workbench.plan.render import quote
from workbench.plan.request_form import RequestForm
from workbench.plan.stages import Stage, lookup_columns
from workbench.plan.tables import SourceTable
from workbench.sql.dialects import DIALECTS, dialect_of
from workbench.sql.functions import Functions
from workbench.sql.outputs import refusal
from workbench.sql.parameters import literal
from workbench.sql.query import NoViews, Views
from workbench.sql.translate import translate


def define(
    query: str | ir.Table,
    tables: Mapping[str, SourceTable],
    functions: Functions,
    dialect: str = "workbench",
    ahead: bool = False,
    params: Mapping[str, Any] | None = None,
    views: Views | None = None,
) -> FeaturePlan:
    """Return the plan of a feature query.

    Parameters
    ----------
    query
        Text in the workbench's dialect, or an Ibis expression over tables of the project.
    tables
        The project's tables by name.
    functions
        DuckDB's functions.
    dialect
        The dialect of a text.
    ahead
        Whether windows may look ahead: the query is a label's.
    params
        The values of the text's parameters, ``:name``.
    views
        The views that the text may name; see :class:`workbench.catalog.composition.Composition`.

    Raises
    ------
    DefinitionError
        With the position, when the query cannot be accepted.
    """
    if dialect not in DIALECTS:
        raise DefinitionError(f"there is no dialect {dialect!r}", hint=f"dialects: {', '.join(DIALECTS)}")
    if not isinstance(query, str | ir.Table):
        raise DefinitionError(
            f"a feature view is defined by the text of a SELECT or by an Ibis expression, not by {type(query).__name__}"
        )
    by_name = {table.name: table for table in tables.values()}

    text = query if isinstance(query, str) else query_of(query, tables)

    def types(plan: FeaturePlan) -> dict[str, str]:
        found = output_types(plan, by_name, functions)
        for name, kind in found.items():
            refused = refusal(kind)
            if refused is not None:
                raise DefinitionError(f"{name}: {refused[0]}", hint=refused[1])
        return found

    def plan_of(view: ir.Table) -> FeaturePlan:
        return analyze(view, tables, types, dialect)

    spoken = replace(dialect_of(dialect), ahead=ahead)
    named = _Named(views or NoViews())
    plan = plan_of(translate(text, tables, functions, spoken, plan_of, params, named))
    bound = [(name, literal(value).sql("duckdb")) for name, value in sorted((params or {}).items())]
    typed = tuple((name, Literal(sql, functions.type_of(sql))) for name, sql in bound)
    return msgspec.structs.replace(plan, views=tuple(named.refs), params=typed)


class _Named:
    """Views, and which of them a text named: ``refs``, with those that these stand on."""

    def __init__(self, views: Views) -> None:
        self.views = views
        self.names = views.names
        self.refs: dict[ViewRef, None] = {}

    def find(self, name: str, version: str | None) -> tuple[ViewRef, FeaturePlan] | None:
        found = self.views.find(name, version)
        if found is not None:
            self.refs.update(dict.fromkeys((found[0], *found[1].views)))
        return found


def condition(text: str, table: SourceTable, functions: Functions) -> Expr:
    """Return a condition on the rows of a table as an expression over the anchor row.

    Raises
    ------
    DefinitionError
        With the position in ``text``, when it cannot be accepted or is not BOOLEAN.
    """
    if not text.strip():
        raise DefinitionError("the condition is empty", hint="write for example amount > 100")
    # The condition stands on lines of its own, so that positions are right after counting one line less.
    query = f"SELECT (\n{text}\n) AS condition FROM {quote(table.name)}"
    try:
        plan = define(query, {table.name: table}, functions)
    except DefinitionError as error:
        raise _of_condition(error, text) from None
    if len(plan.outputs) != 1:
        raise DefinitionError("a condition is one expression", hint="combine several with AND", source=text)
    if plan.windows:
        raise DefinitionError("a condition is about one row: it cannot use a window", source=text)
    (output,) = plan.outputs
    if output.type != "BOOLEAN":
        raise DefinitionError(f"a condition must be BOOLEAN, this is {output.type}", source=text)
    return output.expr


def _of_condition(error: DefinitionError, text: str) -> DefinitionError:
    position = error.position
    if position is None:
        return DefinitionError(error.message, hint=error.hint, source=text)
    line = position.line - 1
    if not 1 <= line <= len(text.splitlines()):
        return DefinitionError("the condition is not one complete expression", source=text)
    moved = Position(line, position.column, position.length)
    return DefinitionError(error.message, hint=error.hint, position=moved, source=text)


def output_types(
    plan: FeaturePlan, tables: Mapping[str, SourceTable], functions: Functions
) -> dict[str, str]:
    """Return the DuckDB type of each output, by binding the plan's request form to empty relations."""

    def rows(part: Stage | Lookup, anchors: str) -> str:
        names = part.columns if isinstance(part, Stage) else lookup_columns(plan, part)
        below = part.source.rows
        columns = tables[part.source.table].columns if below is None else below.features
        return _empty(
            {"__pos": "BIGINT", "__age": "BIGINT", "__seq": "BIGINT"}, {n: columns[n] for n in names}
        )

    request = _empty({"__anchor": "BIGINT", "__seq": "BIGINT"}, dict(plan.anchor_columns))
    sql = RequestForm(plan, rows, request, grouped=False, request_included=True).sql()
    try:
        described = functions.describe(sql)
    except WorkbenchError as error:
        raise DefinitionError(f"DuckDB cannot bind the query: {error.message}") from None
    return {name: kind for name, kind in described.items() if name != "__keep"}


def _empty(*columns: dict[str, str]) -> str:
    typed = ", ".join(
        f"CAST(NULL AS {kind}) AS {quote(name)}" for group in columns for name, kind in group.items()
    )
    return f"(SELECT {typed})"
