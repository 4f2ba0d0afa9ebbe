"""Operators, literals and syntax: one method for each node class of the parser, named after it."""

from __future__ import annotations

from abc import abstractmethod

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.errors import WorkbenchError
from workbench.plan.ops import Native
from workbench.plan.render import quote, text
from workbench.sql.names import Names
from workbench.sql.scope import Scope
from workbench.values.types import canonical


class Nodes(Names):
    """Translates the parser's nodes."""

    @abstractmethod
    def translate(self, node: exp.Expr, scope: Scope) -> ops.Value:
        """Return the value of an expression in a scope."""

    def sides(self, node: exp.Expr, scope: Scope) -> list[ops.Value]:
        """Return the values of the two operands of a node."""
        return [self.translate(node.this, scope), self.translate(node.expression, scope)]

    def node_literal(self, node: exp.Literal, scope: Scope) -> ops.Value:
        sql = text(node.this) if node.is_string else str(node.this)
        return self.constant(node, sql)

    def node_boolean(self, node: exp.Boolean, scope: Scope) -> ops.Value:
        return Native("literal", "true" if node.this else "false", (), "BOOLEAN")

    def node_null(self, node: exp.Null, scope: Scope) -> ops.Value:
        return Native("literal", "NULL", (), "INTEGER")

    def node_interval(self, node: exp.Interval, scope: Scope) -> ops.Value:
        unit = node.args.get("unit")
        amount = node.this
        if amount is not None and not isinstance(amount, exp.Literal):
            value = self.translate(amount, scope)
            return self.bind(node, "call", f"to_{_plural(unit)}", [value])
        return self.constant(node, interval_sql(node))

    def node_neg(self, node: exp.Neg, scope: Scope) -> ops.Value:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return self.constant(node, f"-{node.this.this}")
        return self.bind(node, "op", "negate", [self.translate(node.this, scope)])

    def node_bitwisenot(self, node: exp.BitwiseNot, scope: Scope) -> ops.Value:
        return self.bind(node, "op", "bitwise not", [self.translate(node.this, scope)])

    def node_not(self, node: exp.Not, scope: Scope) -> ops.Value:
        return self.bind(node, "op", "not", [self.translate(node.this, scope)])

    def node_is(self, node: exp.Is, scope: Scope) -> ops.Value:
        value, right = self.translate(node.this, scope), node.expression
        if isinstance(right, exp.Null):
            return self.bind(node, "op", "is null", [value])
        if isinstance(right, exp.Boolean):
            return self.bind(node, "op", "is true" if right.this else "is false", [value])
        self.fail(node, "IS is followed by NULL, NOT NULL, TRUE, FALSE or [NOT] DISTINCT FROM")

    def node_escape(self, node: exp.Escape, scope: Scope) -> ops.Value:
        like = node.this
        if type(like) not in (exp.Like, exp.ILike):
            self.fail(node, "ESCAPE belongs to LIKE and ILIKE")
        word = (
            f"{'NOT ' if like.args.get('negate') else ''}{'ILIKE' if isinstance(like, exp.ILike) else 'LIKE'}"
        )
        parts = [*self.sides(like, scope), self.translate(node.expression, scope)]
        return self.bind(node, "sql", f"{{0}} {word} {{1}} ESCAPE {{2}}", parts)

    def node_jsonpath(self, node: exp.JSONPath, scope: Scope) -> ops.Value:
        return self.constant(node, node.sql("duckdb"))

    def node_between(self, node: exp.Between, scope: Scope) -> ops.Value:
        parts = [self.translate(part, scope) for part in (node.this, node.args["low"], node.args["high"])]
        return self.bind(node, "op", "between", parts)

    def node_in(self, node: exp.In, scope: Scope) -> ops.Value:
        if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
            self.fail(node, "IN takes a list of values here", "write x IN (1, 2), or list_contains(list, x)")
        values = [self.translate(part, scope) for part in (node.this, *node.expressions)]
        return self.bind(node, "op", "in", values)

    def node_case(self, node: exp.Case, scope: Scope) -> ops.Value:
        parts: list[ops.Value] = []
        for branch in node.args["ifs"]:
            condition = branch.this
            if node.this is not None:
                equal = [self.translate(node.this, scope), self.translate(condition, scope)]
                parts.append(self.bind(condition, "op", "=", equal))
            else:
                parts.append(self.translate(condition, scope))
            parts.append(self.translate(branch.args["true"], scope))
        default = node.args.get("default")
        parts.append(
            self.translate(default, scope) if default is not None else self.node_null(exp.Null(), scope)
        )
        return self.bind(node, "op", "case", parts)

    def node_if(self, node: exp.If, scope: Scope) -> ops.Value:
        return self.node_case(exp.Case(ifs=[node.copy()], default=node.args.get("false")), scope)

    def node_cast(self, node: exp.Cast, scope: Scope, op: str = "cast") -> ops.Value:
        kind = node.args["to"].sql("duckdb")
        try:
            kind = self.functions.type_of(f"CAST(NULL AS {kind})")
        except WorkbenchError as error:
            self.fail(node.args["to"], *_type_problem(kind, error.message))
        return self.bind(node, "op", op, [self.translate(node.this, scope)], kind)

    def node_trycast(self, node: exp.TryCast, scope: Scope) -> ops.Value:
        return self.node_cast(node, scope, "try_cast")

    def node_extract(self, node: exp.Extract, scope: Scope) -> ops.Value:
        part = Native("literal", text(node.this.name.lower()), (), "VARCHAR")
        return self.bind(node, "call", "date_part", [part, self.translate(node.expression, scope)])

    def node_bracket(self, node: exp.Bracket, scope: Scope) -> ops.Value:
        if len(node.expressions) != 1:
            self.fail(node, "an index is one value: x[1], or a slice x[2:3]")
        key = node.expressions[0]
        value = self.translate(node.this, scope)
        if isinstance(key, exp.Slice):
            return self._slice(node, value, key, scope)
        return self.bind(node, "op", "index", [value, self.translate(key, scope)])

    def _slice(self, node: exp.Bracket, value: ops.Value, key: exp.Slice, scope: Scope) -> ops.Value:
        """``x[from:to:step]``, each end optional; DuckDB's own slice, of lists and texts."""
        if key.args.get("step"):
            self.fail(node, "a slice with a step is written list_slice(x, from, to, step)")
        ends = [self.translate(end, scope) for end in (key.this, key.expression) if end is not None]
        first = "{1}" if key.this is not None else ""
        last = ("{2}" if first else "{1}") if key.expression is not None else ""
        return self.bind(node, "sql", f"{{0}}[{first}:{last}]", [value, *ends])

    def node_tomap(self, node: exp.ToMap, scope: Scope) -> ops.Value:
        """``MAP {key: value, ...}``, whose bare names are columns."""
        pairs = node.this.expressions if isinstance(node.this, exp.Struct) else []
        if not pairs or not all(isinstance(pair, exp.PropertyEQ) for pair in pairs):
            self.fail(node, "a map is written MAP {key: value, ...}", "or map([keys], [values])")
        return self._map_of(node, [p.this for p in pairs], [p.expression for p in pairs], scope)

    def node_map(self, node: exp.Map, scope: Scope) -> ops.Value:
        keys, values = node.args.get("keys"), node.args.get("values")
        if not (isinstance(keys, exp.Array) and isinstance(values, exp.Array)):
            self.fail(node, "a map is written map([keys], [values])", "or MAP {key: value, ...}")
        return self._map_of(node, keys.expressions, values.expressions, scope)

    def _map_of(
        self, node: exp.Expr, keys: list[exp.Expr], values: list[exp.Expr], scope: Scope
    ) -> ops.Value:
        sides = [[self.translate(item, scope) for item in items] for items in (keys, values)]
        return self.bind(node, "call", "map", [self.bind(node, "op", "list", side) for side in sides])

    def node_abs(self, node: exp.Abs, scope: Scope) -> ops.Value:
        return self.bind(node, "call", "abs", [self.translate(node.this, scope)])

    def node_dot(self, node: exp.Dot, scope: Scope) -> ops.Value:
        return self.field(node, self.translate(node.this, scope), node.expression.name)

    def node_array(self, node: exp.Array, scope: Scope) -> ops.Value:
        return self.bind(node, "op", "list", [self.translate(item, scope) for item in node.expressions])

    def node_struct(self, node: exp.Struct, scope: Scope) -> ops.Value:
        return self._fields(node, node.expressions, scope)

    def _fields(self, node: exp.Expr, items: list[exp.Expr], scope: Scope) -> ops.Value:
        """A struct of ``name: value`` or ``name := value`` pairs."""
        names, values = [], []
        for item in items:
            if not isinstance(item, exp.PropertyEQ):
                self.fail(node, "a struct is written {'name': value, ...}")
            names.append(quote(item.this.name))
            values.append(self.translate(item.expression, scope))
        template = ", ".join(f"{braced(name)}: {{{i}}}" for i, name in enumerate(names))
        return self.bind(node, "sql", "{{" + template + "}}", values)


def interval_sql(node: exp.Interval) -> str:
    """Return an INTERVAL literal as DuckDB text."""
    unit = node.args.get("unit")
    amount = node.this.this if isinstance(node.this, exp.Literal) else ""
    return f"INTERVAL {text(amount + (' ' + unit.name.lower() if unit is not None else ''))}"


def _plural(unit: exp.Expr | None) -> str:
    name = unit.name.lower() if unit is not None else "days"
    return name if name.endswith("s") else name + "s"


def braced(sql: str) -> str:
    """Return text whose braces a template leaves as they are."""
    return sql.replace("{", "{{").replace("}", "}}")


def _type_problem(kind: str, message: str) -> tuple[str, str | None]:
    """What is wrong with a type's name, with a suggestion where one is close."""
    try:
        canonical(kind)
    except WorkbenchError as error:
        return error.message, error.hint
    return message, None
