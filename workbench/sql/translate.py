"""Feature queries as Ibis expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis.expr.types as ir

from workbench.plan.analyze import analyze
from workbench.plan.model import FeaturePlan
from workbench.plan.tables import SourceTable
from workbench.sql.dialects import WORKBENCH, Dialect
from workbench.sql.functions import Functions
from workbench.sql.parameters import bind
from workbench.sql.query import Query, Views
from workbench.sql.selects import Select


def translate(
    text: str,
    tables: Mapping[str, SourceTable],
    functions: Functions,
    dialect: Dialect = WORKBENCH,
    plan_of: Callable[[ir.Table], FeaturePlan] | None = None,
    params: Mapping[str, Any] | None = None,
    views: Views | None = None,
) -> ir.Table:
    """Return a feature query as an Ibis expression.

    Parameters
    ----------
    text
        One SELECT of the dialect.
    tables
        The project's tables by name.
    functions
        DuckDB's functions.
    dialect
        The text's dialect.
    plan_of
        Returns the plan of a subquery that becomes a source of rows; by default with the types of the tree.
    params
        The values of its parameters.
    views
        The views that it may name.

    Raises
    ------
    DefinitionError
        With line, column and a hint, for anything that is wrong or not available.
    """
    by_name = {name.casefold(): table for name, table in tables.items()}
    query = Query(text, dialect, functions, by_name, plan_of or (lambda view: analyze(view, tables)))
    if views is not None:
        query.views = views
    tree = bind(dialect.parse(text), params or {}, text)
    select = Select(query, dialect.prepare(tree, by_name, text), {})
    return select.expression(select.columns())
