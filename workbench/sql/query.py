"""One text being translated: what all its SELECTs share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import ibis.expr.operations as ops
import ibis.expr.types as ir
from ibis.common.collections import FrozenOrderedDict
from sqlglot import exp

from workbench.plan.model import FeaturePlan, ViewRef
from workbench.plan.ops import relation
from workbench.plan.tables import SourceTable
from workbench.sql.dialects import Dialect
from workbench.sql.expressions import Expressions, OverHandler
from workbench.sql.functions import Functions


@dataclass(frozen=True)
class Named:
    """A name of WITH: its query, and the names that this one sees."""

    node: exp.Expr
    names: Mapping[str, Named]


class Views(Protocol):
    """The views that a text may name."""

    def names(self) -> list[str]:
        """Their names, for suggestions."""
        ...

    def find(self, name: str, version: str | None) -> tuple[ViewRef, FeaturePlan] | None:
        """Return a view by its name and the version that the query says, or None where no view has the name."""
        ...


class NoViews:
    """The views of a text that may name none."""

    def names(self) -> list[str]:
        return []

    def find(self, name: str, version: str | None) -> None:
        return None


@dataclass
class Query:
    """What a text is translated with.

    Parameters
    ----------
    text
        The text.
    dialect
        Its dialect.
    functions
        DuckDB's functions.
    tables
        The project's tables by folded name.
    plan_of
        Returns the plan of a subquery that becomes a source of rows.
    views
        The views that it may name.
    """

    text: str
    dialect: Dialect
    functions: Functions
    tables: Mapping[str, SourceTable]
    plan_of: Callable[[ir.Table], FeaturePlan]
    views: Views = field(default_factory=NoViews)
    types: dict[ops.UnboundTable, dict[str, str]] = field(default_factory=dict)

    def expressions(self, over: OverHandler, now: Callable[[], ops.Value | None]) -> Expressions:
        """Return the translator of the expressions of one SELECT."""
        made = self.dialect.expressions(self.text, self.functions, over, now)
        made.tables = self.types
        made.ahead = self.dialect.ahead
        return made

    def relation(self, table: SourceTable, role: str) -> ops.UnboundTable:
        """Return a table as a relation whose types are known to all; ``role`` keeps apart what is not the same row."""
        rows = relation(table, role)
        self.types[rows] = table.columns
        return rows


def projection(rows: ops.UnboundTable, values: Mapping[str, ops.Value], where: ops.Value | None) -> ir.Table:
    """Return values over the rows of a table that satisfy a condition as an Ibis expression."""
    parent: ops.Relation = rows
    if where is not None:
        parent = ops.Filter(rows, (where,))
        values = {name: value.replace({rows: parent}) for name, value in values.items()}
    return ops.Project(parent, FrozenOrderedDict(values)).to_expr()
