"""Positions of errors, and types from DuckDB's binder: what every part of the translation of expressions needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.errors import DefinitionError, WorkbenchError
from workbench.plan import expr as e
from workbench.plan.ops import FeatureWindow, Native, Staged
from workbench.plan.render import render
from workbench.sql import dialect
from workbench.sql.functions import Functions


class Binding:
    """Makes typed values for one query.

    Parameters
    ----------
    source
        The query's text, for positions in messages.
    functions
        DuckDB's functions.
    """

    def __init__(self, source: str, functions: Functions) -> None:
        self.source = source
        self.functions = functions
        self.tables: dict[ops.UnboundTable, dict[str, str]] = {}
        #: Whether windows may look ahead: the query is a label's.
        self.ahead = False

    def fail(
        self, node: exp.Expr, message: str, hint: str | None = None, *, word: str | None = None
    ) -> NoReturn:
        """Raise a DefinitionError at ``node``, or at the keyword ``word`` of its clause."""
        position = dialect.position_of(node, self.source, word)
        raise DefinitionError(message, hint=hint, position=position, source=self.source)

    def type_of(self, value: ops.Value) -> str:
        """Return the DuckDB type of a value."""
        if isinstance(value, Native | FeatureWindow | Staged):
            return value.duckdb_type
        assert isinstance(value, ops.Field)
        return self.tables[value.rel][value.name]

    def shown_type(self, kind: str) -> str:
        """Return a type as functions that write text take it; a dialect may show times on another clock."""
        return kind

    def bind(self, node: exp.Expr, kind: str, name: str, args: Sequence[ops.Value], cast: str = "") -> Native:
        """Return a typed DuckDB node, or fail at ``node`` with DuckDB's reason."""
        samples: list[e.Expr] = []
        types: list[str] = []
        for arg in args:
            sample = self._sample(arg)
            if sample is None:
                sample = e.Literal(f"c{len(types)}", "")
                types.append(self.type_of(arg))
            samples.append(sample)
        bound = shape(kind, name, tuple(samples), cast)
        try:
            found = self.functions.type_of(render(bound, lambda column: column.name), tuple(types))
        except WorkbenchError as error:
            self.fail(node, error.message, error.hint)
        return Native(kind, name, tuple(args), found)

    def _sample(self, value: ops.Value) -> e.Expr | None:
        """What stands for a value in front of the binder: a constant for itself, None for a column of its type."""
        if not isinstance(value, Native):
            return None
        if value.kind == "literal":
            return e.Literal(value.name, value.duckdb_type)
        parts = [self._sample(arg) for arg in value.args if isinstance(arg, ops.Value)]
        if not parts or not all(parts):
            return None
        return shape(value.kind, value.name, tuple(p for p in parts if p), value.duckdb_type)

    def constant(self, node: exp.Expr, sql: str) -> ops.Value:
        """Return a constant that DuckDB's SQL says."""
        try:
            return Native("literal", sql, (), self.functions.type_of(sql))
        except WorkbenchError as error:
            self.fail(node, error.message)


def shape(kind: str, name: str, args: tuple[e.Expr, ...], cast: str) -> e.Expr:
    """Return a node of a kind of the scalar tree; ``cast`` is the type of a cast."""
    if kind == "call":
        return e.Call(name, args, "")
    if kind == "sql":
        return e.Sql(name, args, "")
    return e.Op(name, args, cast)
