"""Scalar expressions: the parser's tree to values of the Ibis tree, typed by DuckDB's binder."""

from __future__ import annotations

from collections.abc import Callable

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.sql.calls import NOW_WORDS, REFUSED, Calls
from workbench.sql.functions import Functions
from workbench.sql.scope import Scope

_BINARY: dict[type[exp.Expr], str] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.IntDiv: "//",
    exp.Mod: "%",
    exp.Pow: "**",
    exp.DPipe: "||",
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
    exp.And: "and",
    exp.Or: "or",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.Like: "like",
    exp.ILike: "ilike",
    exp.SimilarTo: "similar to",
    exp.Glob: "glob",
    exp.NullSafeEQ: "is not distinct from",
    exp.NullSafeNEQ: "is distinct from",
    exp.JSONExtract: "->",
    exp.JSONExtractScalar: "->>",
}
#: What may be set on a parsed node besides its operands. Anything else would change the meaning unseen.
_ARGS: dict[type[exp.Expr], frozenset[str]] = {
    exp.Literal: frozenset({"is_string"}),
    exp.Interval: frozenset({"unit"}),
    exp.Column: frozenset({"table", "db", "catalog"}),
    exp.Identifier: frozenset({"quoted"}),
    exp.Div: frozenset({"typed", "safe"}),
    exp.DPipe: frozenset({"safe"}),
    exp.Between: frozenset({"low", "high"}),
    exp.Case: frozenset({"ifs", "default"}),
    exp.Map: frozenset({"keys", "values"}),
    exp.If: frozenset({"true", "false"}),
    exp.Cast: frozenset({"to", "safe"}),
    exp.TryCast: frozenset({"to", "safe", "requires_string"}),
    exp.Bracket: frozenset({"offset", "safe"}),
    exp.In: frozenset({"query", "unnest", "field"}),
    exp.Like: frozenset({"negate"}),
    exp.ILike: frozenset({"negate"}),
    exp.JSONExtract: frozenset({"only_json_types"}),
    exp.JSONExtractScalar: frozenset({"only_json_types"}),
}
_OPERANDS = frozenset({"this", "expression", "expressions"})
_CALLS: dict[type[exp.Expr], str] = {
    exp.RegexpFullMatch: "regexp_full_match",
    exp.StartsWith: "starts_with",
    exp.ArrayOverlaps: "list_has_any",
    exp.ArrayContainsAll: "list_has_all",
}

OverHandler = Callable[[exp.Expr, Scope], ops.Value]


class Expressions(Calls):
    """Translates expressions of one query.

    Parameters
    ----------
    source
        The query's text, for positions in messages.
    functions
        DuckDB's functions.
    over
        Translates a window function; given by the translator of SELECT.
    now
        Returns the anchor's time, or None where the anchor has none.
    """

    def __init__(
        self, source: str, functions: Functions, over: OverHandler, now: Callable[[], ops.Value | None]
    ) -> None:
        super().__init__(source, functions)
        self._handler = over
        self._now = now

    def translate(self, node: exp.Expr, scope: Scope) -> ops.Value:
        """Return the value of an expression in a scope."""
        if isinstance(node, exp.Paren):
            return self.translate(node.this, scope)
        if isinstance(node, exp.Window) or _window_below(node):
            return self._over(node, scope)
        if isinstance(node, exp.Column):
            return self.column(node, scope)
        if isinstance(node, exp.Identifier):
            return self.column(exp.column(node.copy()), scope, at=node)
        if type(node) in NOW_WORDS:
            return self.now(node, NOW_WORDS[type(node)])
        if type(node) in REFUSED:
            self.fail(node, *REFUSED[type(node)])
        for name, value in node.args.items():
            if value and name not in _OPERANDS and name not in _ARGS.get(type(node), ()):
                self.fail(
                    node, f"{name.upper().replace('_', ' ')} is not available with {node.key.upper()} here"
                )
        handler = getattr(self, "node_" + type(node).__name__.lower(), None)
        if handler is not None:
            result: ops.Value = handler(node, scope)
            return result
        if type(node) in _BINARY:
            found = self.bind(node, "op", _BINARY[type(node)], self.sides(node, scope))
            return self.bind(node, "op", "not", [found]) if node.args.get("negate") else found
        if type(node) in _CALLS:
            return self.bind(node, "call", _CALLS[type(node)], self.sides(node, scope))
        self.fail(node, f"{node.key.upper()} is not available in a feature query")

    def _over(self, node: exp.Expr, scope: Scope) -> ops.Value:
        return self._handler(node, scope)

    def condition(self, node: exp.Expr, scope: Scope) -> ops.Value:
        """Return a BOOLEAN value, or fail."""
        value = self.translate(node, scope)
        if self.type_of(value) != "BOOLEAN":
            self.fail(node, f"a condition must be BOOLEAN, this is {self.type_of(value)}")
        return value

    def now(self, node: exp.Expr, kind: str) -> ops.Value:
        """Return what "now" means: the time of the anchor row, on both sides."""
        time = self._now()
        if time is None:
            self.fail(node, "now() is the anchor row's time, and the anchor table has no time column")
        return time if kind == "TIMESTAMP" else self.bind(node, "op", "cast", [time], kind)


def _window_below(node: exp.Expr) -> bool:
    """FILTER, IGNORE NULLS and WITHIN GROUP wrap an aggregate whose OVER is missing."""
    return isinstance(node, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup)
