"""Scalar expressions: the parser's tree to values of the Ibis tree, typed by DuckDB's binder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.errors import DefinitionError, WorkbenchError, did_you_mean
from workbench.plan import expr as e
from workbench.plan.ops import FeatureWindow, Native
from workbench.plan.render import quote, render, text
from workbench.sql import dialect
from workbench.sql.functions import NOW_DATE, NOW_TIMESTAMP, Functions
from workbench.sql.scope import Relation, Scope
from workbench.values.types import canonical

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
_NOW: dict[type[exp.Expr], str] = {
    exp.CurrentTimestamp: "TIMESTAMP",
    exp.Localtimestamp: "TIMESTAMP",
    exp.CurrentDate: "DATE",
}
_REFUSED: dict[type[exp.Expr], tuple[str, str]] = {
    exp.Subquery: ("a subquery cannot stand in an expression", "LAST JOIN the table and use its column"),
    exp.Select: ("a subquery cannot stand in an expression", "LAST JOIN the table and use its column"),
    exp.Exists: ("EXISTS is not available in a feature query", "use count(*) OVER a window FROM that table"),
    exp.Placeholder: ("parameters are not available in this version", "write the value into the query"),
    exp.Parameter: ("parameters are not available in this version", "write the value into the query"),
    exp.CurrentTime: ("the time of day of the session is not a feature", "cast the time column: ts::TIME"),
    exp.Concat: ("two strings stand side by side", "join them with ||"),
    exp.Comprehension: ("list comprehensions are not available", "use list_transform and list_filter"),
    exp.Star: ("* stands alone in the SELECT list", "name the columns, or write SELECT *, ..."),
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


class Expressions:
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
        self.source = source
        self.functions = functions
        self._over = over
        self._now = now
        self.tables: dict[ops.UnboundTable, dict[str, str]] = {}

    # -- errors and types

    def fail(
        self, node: exp.Expr, message: str, hint: str | None = None, *, word: str | None = None
    ) -> NoReturn:
        """Raise a DefinitionError at ``node``, or at the keyword ``word`` of its clause."""
        position = dialect.position_of(node, self.source, word)
        raise DefinitionError(message, hint=hint, position=position, source=self.source)

    def type_of(self, value: ops.Value) -> str:
        """Return the DuckDB type of a value."""
        if isinstance(value, Native | FeatureWindow):
            return value.duckdb_type
        assert isinstance(value, ops.Field)
        return self.tables[value.rel][value.name]

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
        shape = _shape(kind, name, tuple(samples), cast)
        try:
            found = self.functions.type_of(render(shape, lambda column: column.name), tuple(types))
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
        return _shape(value.kind, value.name, tuple(p for p in parts if p), value.duckdb_type)

    # -- expressions

    def translate(self, node: exp.Expr, scope: Scope) -> ops.Value:
        """Return the value of an expression in a scope."""
        if isinstance(node, exp.Paren):
            return self.translate(node.this, scope)
        if isinstance(node, exp.Window) or _window_below(node):
            return self._over(node, scope)
        if isinstance(node, exp.Column):
            return self._column(node, scope)
        if isinstance(node, exp.Identifier):
            return self._column(exp.column(node.copy()), scope, at=node)
        if type(node) in _NOW:
            return self.now(node, _NOW[type(node)])
        if type(node) in _REFUSED:
            self.fail(node, *_REFUSED[type(node)])
        for name, value in node.args.items():
            if value and name not in _OPERANDS and name not in _ARGS.get(type(node), ()):
                self.fail(
                    node, f"{name.upper().replace('_', ' ')} is not available with {node.key.upper()} here"
                )
        handler = getattr(self, "_" + type(node).__name__.lower(), None)
        if handler is not None:
            result: ops.Value = handler(node, scope)
            return result
        if type(node) in _BINARY:
            found = self.bind(node, "op", _BINARY[type(node)], self._sides(node, scope))
            return self.bind(node, "op", "not", [found]) if node.args.get("negate") else found
        if type(node) in _CALLS:
            return self.bind(node, "call", _CALLS[type(node)], self._sides(node, scope))
        self.fail(node, f"{node.key.upper()} is not available in a feature query")

    def _sides(self, node: exp.Expr, scope: Scope) -> list[ops.Value]:
        return [self.translate(node.this, scope), self.translate(node.expression, scope)]

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

    def _column(self, node: exp.Column, scope: Scope, at: exp.Expr | None = None) -> ops.Value:
        place = at or node
        name = node.name
        if isinstance(node.this, exp.Star):
            self.fail(place, "* stands alone in the SELECT list", "name the columns, or write SELECT *, ...")
        if node.args.get("db"):
            return self._struct_path(node, scope)
        if node.table:
            relation = scope.relation(node.table)
            if relation is None:
                return self._struct_path(node, scope)
            return self._column_of(relation, name, place)
        found = list(scope.candidates(name))
        if len(found) > 1:
            where = " and ".join(repr(relation.alias) for relation, _ in found)
            self.fail(place, f"{name!r} is ambiguous: it is in {where}", f"write {found[0][0].alias}.{name}")
        if found:
            return found[0][1]
        if name.casefold() in scope.aliases:
            return scope.aliases[name.casefold()]
        self._unknown_column(place, name, scope)

    def _column_of(self, relation: Relation, name: str, place: exp.Expr) -> ops.Value:
        value = relation.find(name)
        if value is None:
            close = did_you_mean(name, relation.columns)
            known = ", ".join(relation.columns)
            message = f"no column {name!r} in {relation.alias}" + (f"; {close}" if close else "")
            self.fail(place, message, None if close else f"its columns are {known}")
        return value

    def _unknown_column(self, place: exp.Expr, name: str, scope: Scope) -> NoReturn:
        for relation in scope.constants:
            if relation.find(name) is not None:
                self.fail(
                    place,
                    f"no column {name!r} in {scope.relations[0].alias}",
                    f"a column of the request row is written {relation.alias}.{name} here",
                )
        for relation in scope.joined:
            if relation.find(name) is not None:
                self._refuse_joined(place, relation.alias, scope)
        known = [*scope.column_names(), *scope.aliases]
        close = did_you_mean(name, known)
        message = f"no column {name!r}" + (f"; {close}" if close else "")
        self.fail(place, message, None if close else f"columns here: {', '.join(known)}")

    def _refuse_joined(self, node: exp.Expr, alias: str, scope: Scope) -> None:
        if any(relation.alias.casefold() == alias.casefold() for relation in scope.joined):
            self.fail(
                node,
                f"columns of the joined table {alias!r} inside a window over the anchor's history are not available "
                "in this version",
                "aggregate stored columns of the anchor's table, or use a window FROM the other table",
            )

    def _struct_path(self, node: exp.Column, scope: Scope) -> ops.Value:
        """``s.field`` where s is a column: a field of a struct."""
        parts = [
            part for part in (node.args.get("catalog"), node.args.get("db"), node.args.get("table")) if part
        ]
        parts.append(node.this)
        head, rest = parts[0], parts[1:]
        if not list(scope.candidates(head.name)):
            if relation := scope.relation(head.name):
                value, rest = self._column_of(relation, rest[0].name, node), rest[1:]
            else:
                self._refuse_joined(node, head.name, scope)
                known = [relation.alias for relation in (*scope.relations, *scope.constants)]
                close = did_you_mean(head.name, known)
                self.fail(
                    node,
                    f"no table or alias {head.name!r} in this query" + (f"; {close}" if close else ""),
                    f"tables here: {', '.join(known)}",
                )
        else:
            value = self._column(exp.column(head.copy()), scope, at=node)
        for part in rest:
            value = self._field(node, value, part.name)
        return value

    def _field(self, node: exp.Expr, value: ops.Value, name: str) -> ops.Value:
        key = Native("literal", text(name), (), "VARCHAR")
        return self.bind(node, "call", "struct_extract", [value, key])

    # -- one method a node class of the parser, named after it

    def _literal(self, node: exp.Literal, scope: Scope) -> ops.Value:
        sql = text(node.this) if node.is_string else str(node.this)
        return self._constant(node, sql)

    def _constant(self, node: exp.Expr, sql: str) -> ops.Value:
        try:
            return Native("literal", sql, (), self.functions.type_of(sql))
        except WorkbenchError as error:
            self.fail(node, error.message)

    def _boolean(self, node: exp.Boolean, scope: Scope) -> ops.Value:
        return Native("literal", "true" if node.this else "false", (), "BOOLEAN")

    def _null(self, node: exp.Null, scope: Scope) -> ops.Value:
        return Native("literal", "NULL", (), "INTEGER")

    def _interval(self, node: exp.Interval, scope: Scope) -> ops.Value:
        unit = node.args.get("unit")
        amount = node.this
        if amount is not None and not isinstance(amount, exp.Literal):
            value = self.translate(amount, scope)
            return self.bind(node, "call", f"to_{_plural(unit)}", [value])
        return self._constant(node, interval_sql(node))

    def _neg(self, node: exp.Neg, scope: Scope) -> ops.Value:
        if isinstance(node.this, exp.Literal) and not node.this.is_string:
            return self._constant(node, f"-{node.this.this}")
        return self.bind(node, "op", "negate", [self.translate(node.this, scope)])

    def _bitwisenot(self, node: exp.BitwiseNot, scope: Scope) -> ops.Value:
        return self.bind(node, "op", "bitwise not", [self.translate(node.this, scope)])

    def _not(self, node: exp.Not, scope: Scope) -> ops.Value:
        return self.bind(node, "op", "not", [self.translate(node.this, scope)])

    def _is(self, node: exp.Is, scope: Scope) -> ops.Value:
        value, right = self.translate(node.this, scope), node.expression
        if isinstance(right, exp.Null):
            return self.bind(node, "op", "is null", [value])
        if isinstance(right, exp.Boolean):
            return self.bind(node, "op", "is true" if right.this else "is false", [value])
        self.fail(node, "IS is followed by NULL, NOT NULL, TRUE, FALSE or [NOT] DISTINCT FROM")

    def _escape(self, node: exp.Escape, scope: Scope) -> ops.Value:
        like = node.this
        if type(like) not in (exp.Like, exp.ILike):
            self.fail(node, "ESCAPE belongs to LIKE and ILIKE")
        word = (
            f"{'NOT ' if like.args.get('negate') else ''}{'ILIKE' if isinstance(like, exp.ILike) else 'LIKE'}"
        )
        parts = [*self._sides(like, scope), self.translate(node.expression, scope)]
        return self.bind(node, "sql", f"{{0}} {word} {{1}} ESCAPE {{2}}", parts)

    def _jsonpath(self, node: exp.JSONPath, scope: Scope) -> ops.Value:
        return self._constant(node, node.sql("duckdb"))

    def _between(self, node: exp.Between, scope: Scope) -> ops.Value:
        parts = [self.translate(part, scope) for part in (node.this, node.args["low"], node.args["high"])]
        return self.bind(node, "op", "between", parts)

    def _in(self, node: exp.In, scope: Scope) -> ops.Value:
        if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
            self.fail(node, "IN takes a list of values here", "write x IN (1, 2), or list_contains(list, x)")
        values = [self.translate(part, scope) for part in (node.this, *node.expressions)]
        return self.bind(node, "op", "in", values)

    def _case(self, node: exp.Case, scope: Scope) -> ops.Value:
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
        parts.append(self.translate(default, scope) if default is not None else self._null(exp.Null(), scope))
        return self.bind(node, "op", "case", parts)

    def _if(self, node: exp.If, scope: Scope) -> ops.Value:
        return self._case(exp.Case(ifs=[node.copy()], default=node.args.get("false")), scope)

    def _cast(self, node: exp.Cast, scope: Scope, op: str = "cast") -> ops.Value:
        kind = node.args["to"].sql("duckdb")
        try:
            kind = self.functions.type_of(f"CAST(NULL AS {kind})")
        except WorkbenchError as error:
            self.fail(node.args["to"], *_type_problem(kind, error.message))
        return self.bind(node, "op", op, [self.translate(node.this, scope)], kind)

    def _trycast(self, node: exp.TryCast, scope: Scope) -> ops.Value:
        return self._cast(node, scope, "try_cast")

    def _extract(self, node: exp.Extract, scope: Scope) -> ops.Value:
        part = Native("literal", text(node.this.name.lower()), (), "VARCHAR")
        return self.bind(node, "call", "date_part", [part, self.translate(node.expression, scope)])

    def _bracket(self, node: exp.Bracket, scope: Scope) -> ops.Value:
        if len(node.expressions) != 1:
            self.fail(node, "an index is one value: x[1], or a slice x[2:3]")
        key = node.expressions[0]
        value = self.translate(node.this, scope)
        if isinstance(key, exp.Slice):
            return self._slice(node, value, key, scope)
        if isinstance(key, exp.Literal) and not key.is_string:
            # The parser keeps literal indexes 0-based, DuckDB's are 1-based.
            index: ops.Value = self._constant(node, str(int(key.this) + 1))
        else:
            index = self.translate(key, scope)
        return self.bind(node, "op", "index", [value, index])

    def _slice(self, node: exp.Bracket, value: ops.Value, key: exp.Slice, scope: Scope) -> ops.Value:
        """``x[from:to:step]``, each end optional; DuckDB's own slice, of lists and texts."""
        if key.args.get("step"):
            self.fail(node, "a slice with a step is written list_slice(x, from, to, step)")
        ends = [self.translate(end, scope) for end in (key.this, key.expression) if end is not None]
        first = "{1}" if key.this is not None else ""
        last = ("{2}" if first else "{1}") if key.expression is not None else ""
        return self.bind(node, "sql", f"{{0}}[{first}:{last}]", [value, *ends])

    def _tomap(self, node: exp.ToMap, scope: Scope) -> ops.Value:
        """``MAP {key: value, ...}``, whose bare names are columns."""
        pairs = node.this.expressions if isinstance(node.this, exp.Struct) else []
        if not pairs or not all(isinstance(pair, exp.PropertyEQ) for pair in pairs):
            self.fail(node, "a map is written MAP {key: value, ...}", "or map([keys], [values])")
        return self._map_of(node, [p.this for p in pairs], [p.expression for p in pairs], scope)

    def _map(self, node: exp.Map, scope: Scope) -> ops.Value:
        keys, values = node.args.get("keys"), node.args.get("values")
        if not (isinstance(keys, exp.Array) and isinstance(values, exp.Array)):
            self.fail(node, "a map is written map([keys], [values])", "or MAP {key: value, ...}")
        return self._map_of(node, keys.expressions, values.expressions, scope)

    def _map_of(
        self, node: exp.Expr, keys: list[exp.Expr], values: list[exp.Expr], scope: Scope
    ) -> ops.Value:
        sides = [[self.translate(item, scope) for item in items] for items in (keys, values)]
        return self.bind(node, "call", "map", [self.bind(node, "op", "list", side) for side in sides])

    def _abs(self, node: exp.Abs, scope: Scope) -> ops.Value:
        return self.bind(node, "call", "abs", [self.translate(node.this, scope)])

    def _dot(self, node: exp.Dot, scope: Scope) -> ops.Value:
        return self._field(node, self.translate(node.this, scope), node.expression.name)

    def _array(self, node: exp.Array, scope: Scope) -> ops.Value:
        return self.bind(node, "op", "list", [self.translate(item, scope) for item in node.expressions])

    def _struct(self, node: exp.Struct, scope: Scope) -> ops.Value:
        return self._fields(node, node.expressions, scope)

    def _fields(self, node: exp.Expr, items: list[exp.Expr], scope: Scope) -> ops.Value:
        """A struct of ``name: value`` or ``name := value`` pairs."""
        names, values = [], []
        for item in items:
            if not isinstance(item, exp.PropertyEQ):
                self.fail(node, "a struct is written {'name': value, ...}")
            names.append(quote(item.this.name))
            values.append(self.translate(item.expression, scope))
        template = ", ".join(f"{_braced(name)}: {{{i}}}" for i, name in enumerate(names))
        return self.bind(node, "sql", "{{" + template + "}}", values)

    def _anonymous(self, node: exp.Anonymous, scope: Scope) -> ops.Value:
        name = node.name
        folded = name.casefold()
        if folded in NOW_TIMESTAMP or folded in NOW_DATE:
            return self.now(node, "TIMESTAMP" if folded in NOW_TIMESTAMP else "DATE")
        try:
            aggregate = self.functions.is_aggregate(name)
        except WorkbenchError as error:
            self.fail(node, error.message, error.hint)
        if aggregate and "scalar" not in self.functions.info(name).kinds:
            self.fail(
                node,
                f"{name}() is an aggregate and needs a window",
                f"write {name}(...) OVER w and define WINDOW w AS (PARTITION BY key ORDER BY time ...)",
            )
        if folded == "age" and len(node.expressions) == 1:
            self.fail(node, "age(x) counts from the session's midnight", "write age(now(), x)")
        if folded == "row":
            self.fail(node, "row(...) has no field names", "write {'a': x, 'b': y}")
        if folded == "struct_pack":
            return self._fields(node, node.expressions, scope)
        if any(isinstance(argument, exp.PropertyEQ) for argument in node.expressions):
            self.fail(node, f"{name}() takes its arguments by position here")
        if any(isinstance(argument, exp.Lambda) for argument in node.expressions):
            return self._lambda_call(node, scope)
        return self.bind(node, "call", folded, [self.translate(arg, scope) for arg in node.expressions])

    def _lambda_call(self, node: exp.Anonymous, scope: Scope) -> ops.Value:
        """A call with a lambda: DuckDB text, with the columns used inside as arguments."""
        args: list[ops.Value] = []
        parts = []
        for argument in node.expressions:
            if isinstance(argument, exp.Lambda):
                parts.append(self._lambda_text(argument, scope, args))
            else:
                parts.append(f"{{{len(args)}}}")
                args.append(self.translate(argument, scope))
        return self.bind(node, "sql", f"{node.name.lower()}({', '.join(parts)})", args)

    def _lambda_text(self, node: exp.Lambda, scope: Scope, args: list[ops.Value]) -> str:
        """A lambda as DuckDB text; what it reads of the row, and now(), is appended to ``args``."""

        def inlined(part: exp.Expr) -> exp.Expr:
            if not self._read_by_lambda(part, node):
                return part
            args.append(self.translate(part, scope))
            # A mark that no text of a query holds, so that it can be found again in the generated text.
            return exp.Var(this=f"\0{len(args) - 1}\0")

        body = _braced(node.this.copy().transform(inlined, copy=False).sql("duckdb"))
        for index in range(len(args)):
            body = body.replace(f"\0{index}\0", f"{{{index}}}")
        return f"lambda {', '.join(quote(name.name) for name in node.expressions)}: {body}"

    def _read_by_lambda(self, part: exp.Expr, node: exp.Lambda) -> bool:
        """Whether a part of a lambda is a value of the row; fails where it cannot stand in a lambda."""
        if type(part) in _NOW:
            return True
        if type(part) in _REFUSED:
            self.fail(part, *_REFUSED[type(part)])
        if isinstance(part, exp.Window):
            self.fail(part, "a window function cannot stand in a lambda", "compute it beside the lambda")
        if isinstance(part, exp.ToMap):
            self.fail(part, "MAP {...} is not available in a lambda", "write map([keys], [values])")
        if isinstance(part, exp.Anonymous):
            return self._is_now_in_lambda(part)
        return isinstance(part, exp.Column) and (bool(part.table) or not _is_variable(part, node))

    def _is_now_in_lambda(self, call: exp.Anonymous) -> bool:
        if call.name.casefold() in NOW_TIMESTAMP | NOW_DATE:
            return True
        try:
            kinds = self.functions.info(call.name).kinds
        except WorkbenchError as error:
            self.fail(call, error.message, error.hint)
        if "aggregate" in kinds and "scalar" not in kinds:
            self.fail(
                call,
                f"{call.name}() is an aggregate and cannot stand in a lambda",
                "use list_aggregate(x, 'sum')",
            )
        return False


def _is_variable(column: exp.Column, node: exp.Lambda) -> bool:
    """Whether a name is a variable of the lambda or of one inside it, in any case."""
    above: exp.Expr | None = column
    names = list(node.expressions)
    while above is not None:
        names += above.expressions if isinstance(above, exp.Lambda) else []
        above = above.parent
    return column.name.casefold() in {name.name.casefold() for name in names}


def _shape(kind: str, name: str, args: tuple[e.Expr, ...], cast: str) -> e.Expr:
    if kind == "call":
        return e.Call(name, args, "")
    if kind == "sql":
        return e.Sql(name, args, "")
    return e.Op(name, args, cast)


def _window_below(node: exp.Expr) -> bool:
    """FILTER, IGNORE NULLS and WITHIN GROUP wrap an aggregate whose OVER is missing."""
    return isinstance(node, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup)


def interval_sql(node: exp.Interval) -> str:
    """Return an INTERVAL literal as DuckDB text."""
    unit = node.args.get("unit")
    amount = node.this.this if isinstance(node.this, exp.Literal) else ""
    return f"INTERVAL {text(amount + (' ' + unit.name.lower() if unit is not None else ''))}"


def _plural(unit: exp.Expr | None) -> str:
    name = unit.name.lower() if unit is not None else "days"
    return name if name.endswith("s") else name + "s"


def _braced(sql: str) -> str:
    return sql.replace("{", "{{").replace("}", "}}")


def _type_problem(kind: str, message: str) -> tuple[str, str | None]:
    """What is wrong with a type's name, with a suggestion where one is close."""
    try:
        canonical(kind)
    except WorkbenchError as error:
        return error.message, error.hint
    return message, None
