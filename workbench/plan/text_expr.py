"""Scalar expressions of a plan as text of the workbench's dialect: few parentheses, few quotes."""

from __future__ import annotations

import re
from collections.abc import Callable

from workbench.plan.expr import AggregateRef, Call, Column, Expr, Literal, Op, Sql
from workbench.plan.render import OPERATORS, quote

Leaf = Callable[[Column | AggregateRef, bool], str]

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*", re.IGNORECASE)
#: An argument with an index behind it; f(x) OVER w[1] would be an index of the window's name.
_INDEXED = re.compile(r"\{\d+\}(?=\[)")
#: Words that are names only in quotes, as the parser reads them.
_WORDS = """
all alter analyse analyze and any array as asc asymmetric between both case cast check collate column
constraint create cross current_catalog current_date current_time current_timestamp current_user default
deferrable desc describe distinct do drop else end except false fetch first for force foreign from glob
grant group having if ilike in initially inner insert install intersect interval into isnull join lambda
last lateral leading like limit localtime localtimestamp map not notnull null offset on only or order
outer over partitioned_by pivot pivot_longer pivot_wider placing positional primary qualify range
references regexp returning revoke rlike rollback rows rows_range select session_user show some summarize
symmetric table tablesample then to trailing true uncache union unique unpivot using values variadic when
where window with xor
"""
RESERVED = frozenset(_WORDS.split())

_OR, _AND, _NOT, _COMPARISON, _OTHER, _SUM, _PRODUCT, _UNARY, _ATOM = range(1, 10)
_PRECEDENCE = {
    "or": _OR,
    "and": _AND,
    "not": _NOT,
    "+": _SUM,
    "-": _SUM,
    "*": _PRODUCT,
    "/": _PRODUCT,
    "//": _PRODUCT,
    "negate": _UNARY,
    "bitwise not": _OTHER,
    "cast": _ATOM,
    "try_cast": _ATOM,
    "case": _ATOM,
    "list": _ATOM,
    "index": _ATOM,
}
_COMPARISONS = frozenset([
    "=", "<>", "<", "<=", ">", ">=", "is null", "is true", "is false", "is distinct from", "is not distinct from",
    "between", "like", "ilike", "similar to", "glob", "in",
])  # fmt: skip
#: Conditions whose negation is written inside.
_NEGATED = {
    "is null": "{0} IS NOT NULL",
    "between": "{0} NOT BETWEEN {1} AND {2}",
    "like": "{0} NOT LIKE {1}",
    "ilike": "{0} NOT ILIKE {1}",
}


def name(identifier: str) -> str:
    """Return an identifier, in quotes where it needs them.

    >>> name("amount"), name("Odd Name"), name("order")
    ('amount', '"Odd Name"', '"order"')
    """
    plain = _PLAIN.fullmatch(identifier) and identifier.lower() not in RESERVED
    return identifier if plain else quote(identifier)


def expression(expr: Expr, leaf: Leaf) -> str:
    """Return an expression as text.

    Parameters
    ----------
    expr
        The expression.
    leaf
        Writes a column or the value of an aggregate; the second argument says that the name must be a qualified one.

    >>> from workbench.plan.expr import Column, Literal, Op
    >>> a, one = Column("anchor", "a", "BIGINT"), Literal("1", "INTEGER")
    >>> sum_ = Op("+", (a, one), "BIGINT")
    >>> expression(Op("*", (sum_, Op("*", (a, one), "BIGINT")), "BIGINT"), lambda node, qualified: node.name)
    '(a + 1) * (a * 1)'
    """
    return _Writer(leaf, qualified=False).text(expr, 0)


class _Writer:
    def __init__(self, leaf: Leaf, qualified: bool) -> None:
        self.leaf = leaf
        self.qualified = qualified

    def text(self, expr: Expr, least: int) -> str:
        """``expr``, in parentheses when it binds less tightly than ``least``."""
        written, binding = self.written(expr)
        return written if binding >= least else f"({written})"

    def written(self, expr: Expr) -> tuple[str, int]:
        if isinstance(expr, Column | AggregateRef):
            return self.leaf(expr, self.qualified), _ATOM
        if isinstance(expr, Literal):
            return expr.sql, _UNARY if expr.sql.startswith("-") else _ATOM
        if isinstance(expr, Sql):
            # Names in lambdas are qualified: plain ones could mean the lambda's variables.
            inner = _Writer(self.leaf, qualified=True)
            template = _INDEXED.sub(r"(\g<0>)", expr.template)
            return template.format(*(inner.text(arg, _ATOM) for arg in expr.args)), _OR
        if isinstance(expr, Call):
            return (
                f"{name(expr.name)}({', '.join(self.text(arg, 0) for arg in expr.args)})",
                _ATOM,
            )
        return self._operator(expr)

    def _operator(self, expr: Op) -> tuple[str, int]:
        if expr.op in ("cast", "try_cast"):
            return f"{expr.op.upper()}({self.text(expr.args[0], 0)} AS {expr.type})", _ATOM
        if expr.op == "case":
            parts = [self.text(arg, 0) for arg in expr.args]
            whens = "".join(f" WHEN {parts[i]} THEN {parts[i + 1]}" for i in range(0, len(parts) - 1, 2))
            return f"CASE{whens} ELSE {parts[-1]} END", _ATOM
        if expr.op == "list":
            return f"[{', '.join(self.text(arg, 0) for arg in expr.args)}]", _ATOM
        if expr.op == "index":
            value = self.text(expr.args[0], _ATOM)
            # f(x) OVER w[1] would be an index of the window's name
            value = f"({value})" if isinstance(expr.args[0], AggregateRef) else value
            return f"{value}[{self.text(expr.args[1], 0)}]", _ATOM
        if expr.op == "not":
            return self._not(expr.args[0])
        if expr.op in _COMPARISONS:
            return self._condition(expr, OPERATORS.get(expr.op, "{0} IN {1}")), _COMPARISON
        if expr.op in ("negate", "bitwise not"):
            # -(3) is an operation, -3 a constant
            inner = self.text(expr.args[0], _ATOM)
            inner = f"({inner})" if isinstance(expr.args[0], Literal) else inner
            return OPERATORS[expr.op].replace(" ", "").format(inner), _PRECEDENCE[expr.op]
        return self._binary(expr)

    def _not(self, inner: Expr) -> tuple[str, int]:
        if isinstance(inner, Op) and inner.op in _NEGATED:
            return self._condition(inner, _NEGATED[inner.op]), _COMPARISON
        if isinstance(inner, Op) and inner.op == "in":
            return self._condition(inner, "{0} NOT IN {1}"), _COMPARISON
        return f"NOT {self.text(inner, _ATOM)}", _NOT

    def _condition(self, expr: Op, template: str) -> str:
        parts = [self.text(arg, _SUM) for arg in expr.args]
        if expr.op == "in":
            options = ", ".join(self.text(arg, 0) for arg in expr.args[1:])
            return template.format(parts[0], f"({options})")
        return template.format(*parts)

    def _binary(self, expr: Op) -> tuple[str, int]:
        binding = _PRECEDENCE.get(expr.op, _OTHER)
        left, right = expr.args
        if binding == _OTHER:
            same = isinstance(left, Op) and left.op == expr.op and expr.op != "**"
            first = self.text(left, _OTHER if same else _ATOM)
            return OPERATORS[expr.op].format(first, self.text(right, _ATOM)), _OTHER
        return OPERATORS[expr.op].format(self.text(left, binding), self.text(right, binding + 1)), binding
