"""Operators, literals and casts with OpenMLDB's types: integers wrap, and what has no value is NULL."""

from __future__ import annotations

from collections.abc import Callable

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.plan.ops import Native
from workbench.plan.render import text
from workbench.sql.expressions import Expressions
from workbench.sql.nodes import braced
from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.functions import FUNCTIONS, OpenMLDBFunction
from workbench.sql.openmldb.instances import FORMATS, instance
from workbench.sql.scope import Scope


class OpenMLDBExpressions(Expressions):
    """Translates expressions of an OpenMLDB query."""

    def shown_type(self, kind: str) -> str:
        """Return a type as functions that write text take it: times stand there on OpenMLDB's clock."""
        return f"TIMESTAMP + {t.ZONE}" if kind == "TIMESTAMP" else kind

    # -- SQL of values

    def sql(self, node: exp.Expr, build: Callable[..., str], *values: ops.Value) -> ops.Value:
        """Return what ``build`` makes of the values' SQL, typed by DuckDB."""
        marks = [f"\0{number}\0" for number in range(len(values))]
        template = braced(build(*marks))
        for number, mark in enumerate(marks):
            template = template.replace(mark, f"{{{number}}}")
        return self.bind(node, "sql", template, list(values))

    def convert(self, node: exp.Expr, value: ops.Value, kind: str) -> ops.Value:
        """Return a value as one of another type, NULL where it cannot be one."""
        found = self.type_of(value)
        if found == kind:
            return value
        if is_null(value):
            return self.bind(node, "op", "cast", [value], kind)
        simple = found in t.INTEGERS and kind in (*t.INTEGERS, *t.FLOATS, "VARCHAR")
        if (simple and t.INTEGERS[found] <= t.INTEGERS.get(kind, 64)) or (
            found == "FLOAT" and kind == "DOUBLE"
        ):
            return self.bind(node, "op", "cast", [value], kind)
        if t.converted("x", found, kind) is None:
            self.fail(node, f"a value of type {found} cannot become {kind}")
        return self.sql(node, lambda x: t.converted(x, found, kind) or "", value)

    def truth(self, node: exp.Expr, value: ops.Value) -> ops.Value:
        """Return a value of any type as a condition."""
        found = self.type_of(value)
        if found == "BOOLEAN":
            return value
        if is_null(value):
            return self.bind(node, "op", "cast", [value], "BOOLEAN")
        return self.sql(node, lambda x: t.truth(x, found), value)

    def condition(self, node: exp.Expr, scope: Scope) -> ops.Value:
        """Return a condition of a value of any type."""
        return self.truth(node, self.translate(node, scope))

    def unified(self, node: exp.Expr, values: list[ops.Value]) -> list[ops.Value]:
        """Return values as values of the one type that a CASE of them has."""
        known = [self.type_of(value) for value in values if not is_null(value)]
        if not known:
            return values
        kind = known[0]
        for other in known[1:]:
            kind = t.common(kind, other)
        return [self.convert(node, value, kind) for value in values]

    @property
    def has_now(self) -> bool:
        """Whether the anchor has a time."""
        return self._now() is not None

    # -- literals

    def node_literal(self, node: exp.Literal, scope: Scope) -> ops.Value:
        if node.is_string:
            return self.constant(node, text(node.this))
        number = str(node.this)
        decimal = "." in number and "e" not in number.casefold()
        return self.constant(node, f"{number}e0" if decimal else number)

    def node_null(self, node: exp.Null, scope: Scope) -> ops.Value:
        return Native("literal", "NULL", (), "INTEGER")

    def node_neg(self, node: exp.Neg, scope: Scope) -> ops.Value:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            number = f"-{node.this.this}"
            return self.constant(node, f"{number}e0" if "." in number and "e" not in number else number)
        value = self.number(node, self.translate(node.this, scope))
        kind = self.type_of(value)
        if kind == "BOOLEAN":
            return value
        if kind in t.INTEGERS:
            return self.sql(node, lambda x: t.wrapped(f"(- CAST({x} AS {_room(kind)}))", kind), value)
        return self.bind(node, "op", "negate", [value])

    # -- arithmetic

    def number(self, node: exp.Expr, value: ops.Value) -> ops.Value:
        """Return a value as a number of one of OpenMLDB's types: texts as DOUBLE, times as milliseconds."""
        kind = self.type_of(value)
        if kind in t.INTEGERS or kind in t.FLOATS or kind == "BOOLEAN":
            return value
        if kind == "VARCHAR":
            return self.convert(node, value, "DOUBLE")
        return self.convert(node, value, "BIGINT" if not t.is_number(kind) else t.plain(kind))

    def node_add(self, node: exp.Add, scope: Scope) -> ops.Value:
        return self._arithmetic(node, "+", scope)

    def node_sub(self, node: exp.Sub, scope: Scope) -> ops.Value:
        return self._arithmetic(node, "-", scope)

    def node_mul(self, node: exp.Mul, scope: Scope) -> ops.Value:
        return self._arithmetic(node, "*", scope)

    def _arithmetic(self, node: exp.Binary, op: str, scope: Scope) -> ops.Value:
        return self.arithmetic(node, op, *self.sides(node, scope))

    def arithmetic(self, node: exp.Expr, op: str, left: ops.Value, right: ops.Value) -> ops.Value:
        """Return the sum, difference or product of two values."""
        times = [self.type_of(value) == "TIMESTAMP" for value in (left, right)]
        left, right = self.number(node, left), self.number(node, right)
        if any(times) and op in "+-" and not (op == "-" and all(times)):
            left, right = (self.convert(node, side, "BIGINT") for side in (left, right))
            return self.convert(node, self.arithmetic(node, op, left, right), "TIMESTAMP")
        kind = self._numeric(left, right)
        if kind in t.FLOATS:
            sides = [self.bind(node, "op", "cast", [side], kind) for side in (left, right)]
            return self.bind(node, "op", op, sides)
        room = _room(kind)

        def build(x: str, y: str) -> str:
            if kind == "BOOLEAN":  # integers of one bit
                return f"CAST((CAST({x} AS INTEGER) {op} CAST({y} AS INTEGER)) & 1 AS BOOLEAN)"
            return t.wrapped(f"(CAST({x} AS {room}) {op} CAST({y} AS {room}))", kind)

        return self.sql(node, build, left, right)

    def _numeric(self, left: ops.Value, right: ops.Value) -> str:
        """The type of arithmetic of two numbers; an untyped NULL takes the other's."""
        kinds = [t.plain(self.type_of(value)) for value in (left, right) if not is_null(value)]
        if not kinds:
            return "INTEGER"
        return t.wider(kinds[0], kinds[-1])

    def node_div(self, node: exp.Div, scope: Scope) -> ops.Value:
        sides = [self.convert(node, self.number(node, v), "DOUBLE") for v in self.sides(node, scope)]
        return self.sql(node, lambda x, y: f"{x} / nullif({y}, 0)", *sides)

    def node_intdiv(self, node: exp.IntDiv, scope: Scope) -> ops.Value:
        return self._divided(node, "//", scope)

    def node_mod(self, node: exp.Mod, scope: Scope) -> ops.Value:
        return self._divided(node, "%", scope)

    def _divided(self, node: exp.Binary, op: str, scope: Scope) -> ops.Value:
        left, right = (self.number(node, value) for value in self.sides(node, scope))
        kind = self._numeric(left, right)
        if op == "//" and kind in t.FLOATS:
            self.fail(node, "DIV divides whole numbers", "write bigint(x) DIV bigint(y), or x / y")
        room = "BIGINT" if kind in ("BOOLEAN", "SMALLINT", "INTEGER") else kind
        room = "HUGEINT" if kind == "BIGINT" else room

        def build(x: str, y: str) -> str:
            whole = f"(CAST({x} AS {room}) {op} nullif(CAST({y} AS {room}), 0))"
            if kind in t.FLOATS:
                return whole
            return f"CAST({whole} AS BOOLEAN)" if kind == "BOOLEAN" else t.wrapped(whole, kind)

        return self.sql(node, build, left, right)

    def node_bitwiseand(self, node: exp.BitwiseAnd, scope: Scope) -> ops.Value:
        return self._bits(node, "&", scope)

    def node_bitwiseor(self, node: exp.BitwiseOr, scope: Scope) -> ops.Value:
        return self._bits(node, "|", scope)

    def node_bitwisexor(self, node: exp.BitwiseXor, scope: Scope) -> ops.Value:
        return self._bits(node, "xor", scope)

    def _bits(self, node: exp.Binary, op: str, scope: Scope) -> ops.Value:
        left, right = (self.number(node, value) for value in self.sides(node, scope))
        kind = self._numeric(left, right)
        if kind not in t.INTEGERS:
            self.fail(node, f"bitwise operators take whole numbers, not {kind}")
        sides = [self.convert(node, side, kind) for side in (left, right)]
        if op == "xor":
            return self.bind(node, "call", "xor", sides)
        return self.bind(node, "op", op, sides)

    def node_bitwisenot(self, node: exp.BitwiseNot, scope: Scope) -> ops.Value:
        value = self.translate(node.this, scope)
        if is_null(value):
            return self.bind(node, "op", "cast", [value], "BOOLEAN")
        return self.bind(node, "op", "bitwise not", [self.number(node, value)])

    # -- logic and comparison

    def node_and(self, node: exp.And, scope: Scope) -> ops.Value:
        return self._logic(node, "and", scope)

    def node_or(self, node: exp.Or, scope: Scope) -> ops.Value:
        return self._logic(node, "or", scope)

    def _logic(self, node: exp.Binary, op: str, scope: Scope) -> ops.Value:
        sides = [self.truth(node, value) for value in self.sides(node, scope)]
        return self.bind(node, "op", op, sides)

    def node_xor(self, node: exp.Xor, scope: Scope) -> ops.Value:
        sides = [self.truth(node, value) for value in self.sides(node, scope)]
        return self.bind(node, "op", "<>", sides)

    def node_not(self, node: exp.Not, scope: Scope) -> ops.Value:
        return self.bind(node, "op", "not", [self.truth(node, self.translate(node.this, scope))])

    def node_eq(self, node: exp.EQ, scope: Scope) -> ops.Value:
        return self.compared(node, "=", *self.sides(node, scope))

    def node_neq(self, node: exp.NEQ, scope: Scope) -> ops.Value:
        return self.compared(node, "<>", *self.sides(node, scope))

    def node_lt(self, node: exp.LT, scope: Scope) -> ops.Value:
        return self.compared(node, "<", *self.sides(node, scope))

    def node_lte(self, node: exp.LTE, scope: Scope) -> ops.Value:
        return self.compared(node, "<=", *self.sides(node, scope))

    def node_gt(self, node: exp.GT, scope: Scope) -> ops.Value:
        return self.compared(node, ">", *self.sides(node, scope))

    def node_gte(self, node: exp.GTE, scope: Scope) -> ops.Value:
        return self.compared(node, ">=", *self.sides(node, scope))

    def comparable(self, node: exp.Expr, *values: ops.Value) -> list[ops.Value]:
        """Return values as values of one type that a comparison of them has: with a text, all are texts."""
        kinds = [self.type_of(value) for value in values if not is_null(value)]
        if len(set(kinds)) <= 1:
            return [self.convert(node, v, kinds[0]) if is_null(v) and kinds else v for v in values]
        if "VARCHAR" in kinds:
            return [self.convert(node, value, "VARCHAR") for value in values]
        if "TIMESTAMP" in kinds and "DATE" in kinds:
            return [self.convert(node, value, "TIMESTAMP") for value in values]
        numbers = [self.number(node, value) for value in values]
        return [self.convert(node, v, "SMALLINT") if self.type_of(v) == "BOOLEAN" else v for v in numbers]

    def compared(self, node: exp.Expr, op: str, left: ops.Value, right: ops.Value) -> ops.Value:
        """Return the comparison of two values of any types."""
        return self.bind(node, "op", op, self.comparable(node, left, right))

    def node_between(self, node: exp.Between, scope: Scope) -> ops.Value:
        value, low, high = (
            self.translate(part, scope) for part in (node.this, node.args["low"], node.args["high"])
        )
        parts = [self.compared(node, ">=", value, low), self.compared(node, "<=", value, high)]
        return self.bind(node, "op", "and", parts)

    def node_in(self, node: exp.In, scope: Scope) -> ops.Value:
        if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
            self.fail(node, "IN takes a list of values here", "write x IN (1, 2)")
        value = self.translate(node.this, scope)
        options = [self.translate(part, scope) for part in node.expressions]
        found = [self.compared(node, "=", value, option) for option in options]
        result = found[0]
        for part in found[1:]:
            result = self.bind(node, "op", "or", [result, part])
        return result

    # -- patterns

    def node_like(self, node: exp.Like, scope: Scope) -> ops.Value:
        return self._like(node, node, "LIKE", None, scope)

    def node_ilike(self, node: exp.ILike, scope: Scope) -> ops.Value:
        return self._like(node, node, "ILIKE", None, scope)

    def node_escape(self, node: exp.Escape, scope: Scope) -> ops.Value:
        like = node.this
        if not isinstance(like, exp.Like | exp.ILike):
            self.fail(node, "ESCAPE belongs to LIKE and ILIKE")
        word = "ILIKE" if isinstance(like, exp.ILike) else "LIKE"
        return self._like(node, like, word, self.translate(node.expression, scope), scope)

    def _like(
        self, node: exp.Expr, like: exp.Binary, word: str, escape: ops.Value | None, scope: Scope
    ) -> ops.Value:
        value, pattern = self.sides(like, scope)
        found = self.like(node, word, value, pattern, escape)
        return self.bind(node, "op", "not", [found]) if like.args.get("negate") else found

    def like(
        self, node: exp.Expr, word: str, value: ops.Value, pattern: ops.Value, escape: ops.Value | None
    ) -> ops.Value:
        """Return whether a text is like a pattern; a backslash escapes unless ``escape`` says otherwise."""
        sides = [self.convert(node, side, "VARCHAR") for side in (value, pattern)]
        mark = escape if escape is not None else self.constant(node, "'\\'")
        mark = self.convert(node, mark, "VARCHAR")
        # As DuckDB's ESCAPE must not be NULL and not end a pattern.
        ends = "right({1}, 1) = {2} AND right({1}, 2) <> {2} || {2}"

        def build(x: str, p: str, e: str) -> str:
            bad = ends.replace("{1}", p).replace("{2}", e)
            return f"CASE WHEN {e} IS NOT NULL THEN CASE WHEN {bad} THEN false ELSE {x} {word} {p} ESCAPE {e} END END"

        if _is_text(pattern) and _is_text(mark) and not _ends_with(pattern, mark):
            return self.sql(node, lambda x, p, e: f"{x} {word} {p} ESCAPE {e}", *sides, mark)
        return self.sql(node, build, *sides, mark)

    def node_regexplike(self, node: exp.RegexpLike, scope: Scope) -> ops.Value:
        sides = [self.convert(node, side, "VARCHAR") for side in self.sides(node, scope)]
        return self.bind(node, "call", "regexp_full_match", sides)

    # -- CASE, casts and calls

    def node_case(self, node: exp.Case, scope: Scope) -> ops.Value:
        conditions, values = [], []
        subject = self.translate(node.this, scope) if node.this is not None else None
        for branch in node.args["ifs"]:
            condition = self.translate(branch.this, scope)
            if subject is not None:
                condition = self.compared(branch.this, "=", subject, condition)
            conditions.append(self.truth(branch.this, condition))
            values.append(self.translate(branch.args["true"], scope))
        default = node.args.get("default") or exp.Null()
        values = self.unified(node, [*values, self.translate(default, scope)])
        parts = [part for pair in zip(conditions, values, strict=False) for part in pair]
        return self.bind(node, "op", "case", [*parts, values[-1]])

    def node_cast(self, node: exp.Cast, scope: Scope, op: str = "cast") -> ops.Value:
        kind = node.args["to"].sql("duckdb").split("(")[0].upper()
        kind = {"TEXT": "VARCHAR", "INT": "INTEGER", "REAL": "FLOAT", "TIMESTAMP_S": "TIMESTAMP"}.get(
            kind, kind
        )
        if kind not in _NAMED:
            self.fail(node.args["to"], f"OpenMLDB has no type {kind}", f"its types are {', '.join(_NAMED)}")
        if node.meta.get("parameter"):  # a time that is given as one is in UTC, unlike the texts of a query
            return self.bind(node, "op", "cast", [self.translate(node.this, scope)], kind)
        return self.convert(node, self.translate(node.this, scope), kind)

    def node_anonymous(self, node: exp.Anonymous, scope: Scope) -> ops.Value:
        if node.name.casefold() in FORMATS:
            return instance(self, node, lambda inner: self.translate(inner, scope))
        known: OpenMLDBFunction | None = FUNCTIONS.get(node.name.casefold())
        windowed = node.name.casefold() == "at" and scope.window is not None
        if known is None or windowed:
            return super().node_anonymous(node, scope)
        return known(self, node, [self.translate(argument, scope) for argument in node.expressions])


_NAMED = ("BOOLEAN", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP")


def is_null(value: ops.Value) -> bool:
    """Whether a value is the literal NULL, which has no type of its own."""
    return isinstance(value, Native) and value.kind == "literal" and value.name == "NULL"


def _room(kind: str) -> str:
    """A type in which arithmetic of integers of a type cannot overflow."""
    return "HUGEINT" if kind == "BIGINT" else "BIGINT"


def _is_text(value: ops.Value) -> bool:
    return isinstance(value, Native) and value.kind == "literal" and value.duckdb_type == "VARCHAR"


def _ends_with(pattern: ops.Value, mark: ops.Value) -> bool:
    assert isinstance(pattern, Native) and isinstance(mark, Native)
    return pattern.name[1:-1].endswith(mark.name[1:-1]) if mark.name != "''" else False
