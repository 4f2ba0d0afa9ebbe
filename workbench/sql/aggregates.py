"""Aggregates OVER a window: the call, its arguments, and what stands around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import ibis.expr.operations as ops
from sqlglot import exp
from sqlglot.expressions.core import Expr as Node

from workbench.errors import WorkbenchError
from workbench.functions import PythonFunction
from workbench.plan.aggregates import ORDER_FREE
from workbench.plan.model import Frame
from workbench.plan.ops import FeatureWindow, Native, WindowSpec
from workbench.plan.render import text
from workbench.sql import catalogue
from workbench.sql.aggregate_call import LISTS, QUANTILES, AggregateCall, aggregate_call
from workbench.sql.expansion import bound, filled
from workbench.sql.expressions import Expressions
from workbench.sql.frames import LABEL_HINT
from workbench.sql.scope import Scope
from workbench.sql.windows import Windows

_POSITIONAL = {
    "row_number": "row_number() numbers the rows of a result; a feature is one value of one request",
    "rank": "rank() compares rows of a result; a feature is one value of one request",
    "dense_rank": "dense_rank() compares rows of a result; a feature is one value of one request",
    "percent_rank": "percent_rank() compares rows of a result; a feature is one value of one request",
    "cume_dist": "cume_dist() compares rows of a result; a feature is one value of one request",
    "ntile": "ntile() compares rows of a result; a feature is one value of one request",
}
_COUNTING = "count the window's rows: count(*) OVER w, or count(*) FILTER (WHERE ...) OVER w"
# A list without repetitions, each value where it was first. Sorted by value and place, an element is the first of its
# value when the one before it is of another.
_PLACED = "list_sort(list_transform({0}, lambda __v, __i: struct_pack(v := __v, i := __i)))"
_FIRSTS = (
    f"list_filter(list_zip({_PLACED}, list_prepend(NULL, {_PLACED}), true), "
    "lambda __e: __e[2] IS NULL OR __e[1].v IS DISTINCT FROM __e[2].v)"
)
_DISTINCT = (
    "CASE WHEN {0} IS NOT NULL THEN list_transform(list_sort(list_transform("
    f"{_FIRSTS}, lambda __e: struct_pack(i := __e[1].i, v := __e[1].v))), lambda __e: __e.v) END"
)


@dataclass(frozen=True)
class _Read:
    """What a call reads: values of the window's rows that satisfy conditions, in an order of their own."""

    spec: WindowSpec
    args: list[ops.Value]
    where: list[ops.Value]
    order: list[tuple[ops.Value, tuple[bool, bool]]]


class Aggregates:
    """Translates the aggregates of one SELECT.

    Parameters
    ----------
    expressions
        The query's expression translator.
    windows
        The query's windows.
    """

    def __init__(self, expressions: Expressions, windows: Windows) -> None:
        self.expressions = expressions
        self.windows = windows

    def over(self, node: Node, scope: Scope) -> ops.Value:
        """Return the value of ``function(...) [FILTER (...)] OVER window``."""
        x = self.expressions
        if not isinstance(node, exp.Window):
            x.fail(node, "an aggregate needs a window", "write ... OVER w")
        call = aggregate_call(x, node.this)
        if call.name in _POSITIONAL:
            x.fail(call.node, _POSITIONAL[call.name], _COUNTING)
        lead = call.name == "lead"
        if lead and not x.ahead:
            x.fail(
                call.node, "lead() looks at rows of the future, which a request cannot have seen", LABEL_HINT
            )
        spec, rows = self.windows.spec_of(node, ahead=lead)
        entry = catalogue.find(call.name)
        if entry is not None and not entry.native:
            return self._catalogued(call, entry, spec, rows)
        args = self._arguments(call, rows)
        where = [x.condition(call.where, rows)] if call.where is not None else []
        if call.ignore_nulls:
            null = x.bind(call.node, "op", "is null", args[:1])
            where.append(x.bind(call.node, "op", "not", [null]))
        order = [(self._translated(key.this, rows), _direction(key)) for key in call.order]
        read = _Read(spec, args, where, order)
        if (python := x.functions.python(call.name)) is not None:
            return self._python(call, python, read)
        if lead or call.name in ("lag", "at"):
            return self._lag(call, read)
        if call.name == "nth_value":
            return self._nth_value(call, read)
        name = entry.native if entry is not None else call.name
        if name in ("first_value", "last_value"):
            name = name.removesuffix("_value")
        if order and (name in QUANTILES or name == "mode"):
            x.fail(call.node, f"{name}() brings its own order", f"write {name}(x, ...) without ORDER BY")
        if call.distinct and name not in ORDER_FREE:
            return self._distinct(call, name, read)
        return self.aggregate(call.node, name, args, spec, where, order, distinct=call.distinct)

    def _arguments(self, call: AggregateCall, rows: Scope) -> list[ops.Value]:
        if len(call.items) == 1 and isinstance(call.items[0], exp.Star):
            return []
        return [self._translated(item, rows) for item in call.items]

    def _translated(self, item: Node, rows: Scope) -> ops.Value:
        return self.expressions.translate(item, rows)

    # -- functions of the catalogue

    def _catalogued(
        self, call: AggregateCall, entry: catalogue.Function, spec: WindowSpec, rows: Scope
    ) -> ops.Value:
        """What an entry stands for: its aggregates over this window, and the expression around them."""
        x = self.expressions
        if not entry.is_aggregate:
            x.fail(call.node, f"{call.name}() is not an aggregate", f"write {entry.signature} without OVER")
        if call.distinct or call.order:
            what = "DISTINCT" if call.distinct else "ORDER BY"
            x.fail(call.node, f"{what} is not available inside {call.name}()", f"write {entry.signature}")
        items = [_one(item) if isinstance(item, exp.Star) else item for item in call.items]
        args = [self._translated(item, rows) for item in items]
        values = bound(x, call.node, entry, items, args)
        made = _Values(self, call, entry, spec, items)
        outer = [x.condition(call.where, rows)] if call.where is not None else []
        parts: dict[str, ops.Value] = {}
        for name, part in entry.parts.items():
            inner = [filled(x, call.node, part.where, values, made)] if part.where else []
            of = [filled(x, call.node, arg, values, made) for arg in part.args]
            found = self.aggregate(
                call.node, part.function, of, spec, [*outer, *inner], distinct=part.distinct
            )
            parts[name] = found if entry.result == f"{{{name}}}" else found.copy(written=call.written)
        known = {**values, **parts}
        types = {name: x.shown_type(x.type_of(value)) for name, value in known.items()}
        return filled(x, call.node, entry.text(types), known, made)

    # -- values of one row

    def _lag(self, call: AggregateCall, read: _Read) -> ops.Value:
        """lag(x, n) is the value of x at position n, whatever the frame, MAXSIZE and EXCLUDE CURRENT_ROW say.

        lead(x, n) is the same ahead.
        """
        x, spec, args, where = self.expressions, read.spec, read.args, read.where
        ahead = call.name == "lead"
        if not 1 <= len(args) <= 3 or call.distinct or call.order:
            x.fail(call.node, f"{call.name}() takes a value, an offset and a default", "lag(x, 1, 0) OVER w")
        position = self._whole(call, 1, 0) if len(call.items) > 1 else 1
        if call.ignore_nulls and ahead:
            x.fail(
                call.node,
                "lead() IGNORE NULLS has no horizon",
                "take the first of a frame: first_value(x ...)",
            )
        if call.ignore_nulls and position:
            frame = Frame("rows", None, 1)
            before = replace(spec, frame=frame, maxsize=None, exclude_current_row=False)
            values = self.aggregate(call.node, "list", args[:1], before, where)
            place, zero = x.constant(call.node, f"-{position}"), x.constant(call.node, "0")
            value = x.bind(call.node, "op", "index", [values, place])
            length = x.bind(call.node, "call", "coalesce", [x.bind(call.node, "call", "len", [values]), zero])
            missing = x.bind(call.node, "op", "<", [length, x.constant(call.node, str(position))])
        else:
            frame = Frame("rows", position, position, ahead)
            there = replace(spec, frame=frame, maxsize=None, exclude_current_row=False)
            value = self.aggregate(call.node, "first", args[:1], there, where)
            if len(args) < 3:
                return value
            rows = self.aggregate(call.node, "count", [], there, where)
            missing = x.bind(call.node, "op", "=", [rows, x.constant(call.node, "0")])
        if len(args) < 3:
            return value
        return x.bind(call.node, "op", "case", [missing, args[2], value])

    def _python(
        self,
        call: AggregateCall,
        function: PythonFunction,
        read: _Read,
    ) -> ops.Value:
        """A Python function over a window: a call with the lists of its arguments, one value for each row."""
        x = self.expressions
        if not function.aggregate:
            x.fail(
                call.node,
                f"{function.name}() is no aggregate",
                f"write {function.name}(sum(x) OVER w), or define it with aggregate=True",
            )
        if call.distinct or call.ignore_nulls:
            x.fail(call.node, f"{function.name}() takes all rows", "leave them out inside the function")
        x.check_arity(call.node, function, len(read.args))
        if function.null == "null":
            nulls = [x.bind(call.node, "op", "is null", [arg]) for arg in read.args]
            values = [x.bind(call.node, "op", "not", [null]) for null in nulls]
            read = replace(read, where=[*read.where, *values])
        lists = [self._list(call, read, arg) for arg in read.args]
        if function.null == "call":
            none = x.bind(call.node, "op", "list", [])
            lists = [x.bind(call.node, "call", "coalesce", [values, none]) for values in lists]
        return x.bind(call.node, "call", function.full_name, lists)

    def _nth_value(
        self,
        call: AggregateCall,
        read: _Read,
    ) -> ops.Value:
        """nth_value(x, n) counts from the frame's first (oldest) row, or from the first in its own order."""
        x = self.expressions
        if len(read.args) != 2 or call.distinct:
            x.fail(call.node, "nth_value() takes a value and a position", "nth_value(x, 2) OVER w")
        position = self._whole(call, 1, 1)
        values = self._list(call, read, read.args[0])
        return x.bind(call.node, "op", "index", [values, x.constant(call.node, str(position))])

    def _whole(self, call: AggregateCall, index: int, least: int) -> int:
        node = call.items[index]
        if not (isinstance(node, exp.Literal) and node.this.isdigit() and int(node.this) >= least):
            what = "offset" if least == 0 else "position"
            self.expressions.fail(node, f"the {what} of {call.name}() is a constant whole number >= {least}")
        return int(node.this)

    def _distinct(
        self,
        call: AggregateCall,
        name: str,
        read: _Read,
    ) -> ops.Value:
        """An order-dependent function of the values that are left when each is kept where it first comes."""
        x, args = self.expressions, read.args
        if not args or not all(isinstance(arg, Native) and arg.kind == "literal" for arg in args[1:]):
            x.fail(
                call.node,
                f"{name}(DISTINCT ...) takes one column",
                f"write {name}(DISTINCT x) of one expression; further arguments are constants",
            )
        self._check_aggregate(call.node, name)
        values = self._list(call, read, args[0])
        once = x.bind(call.node, "sql", _DISTINCT, [values])
        if name in LISTS:
            return once
        rest = "".join(f", {{{index}}}" for index in range(1, len(args)))
        return x.bind(call.node, "sql", f"list_aggregate({{0}}, {text(name)}{rest})", [once, *args[1:]])

    def _list(self, call: AggregateCall, read: _Read, value: ops.Value) -> ops.Value:
        """The values of the rows that a call reads."""
        return self.aggregate(call.node, "list", [value], read.spec, read.where, read.order)

    # -- the aggregate

    def aggregate(
        self,
        node: Node,
        name: str,
        args: Sequence[ops.Value],
        spec: WindowSpec,
        where: Sequence[ops.Value] = (),
        order: Sequence[tuple[ops.Value, tuple[bool, bool]]] = (),
        *,
        distinct: bool = False,
    ) -> FeatureWindow:
        """Return a DuckDB aggregate over a window.

        Parameters
        ----------
        node
            Where an error points.
        name, args
            The function and its arguments over the window's rows; none for ``count(*)``.
        spec
            The window.
        where
            Conditions on its rows.
        order
            Values of an ORDER BY inside the aggregate, each with (descending, nulls first).
        distinct
            Whether it takes each value once; only for functions that do not depend on the order.
        """
        x = self.expressions
        self._check_aggregate(node, name)
        if not args and name != "count":
            x.fail(node, f"{name}(*) is not available; only count(*) is")
        if not args:
            kind = "BIGINT"
            name = "count_star"
        else:
            kind = x.bind(node, "call", name, args).duckdb_type
        condition = None
        for part in where:
            condition = part if condition is None else x.bind(node, "op", "and", [condition, part])
        # A sum of integers is BIGINT on both sides; what does not fit is an error of that row.
        cast = kind == "HUGEINT" and name in ("sum", "sum_no_overflow")
        # A constant orders nothing, and DuckDB refuses literals there.
        kept = [] if name in ORDER_FREE else [term for term in order if term[0].find(ops.Field)]
        return FeatureWindow(
            function=name,
            args=tuple(args),
            spec=spec,
            anchor=self.windows.anchor.rows,
            duckdb_type="BIGINT" if cast else kind,
            distinct=distinct,
            where=condition,
            cast=cast,
            order=tuple(value for value, _ in kept),
            directions=tuple(direction for _, direction in kept),
        )

    def _check_aggregate(self, node: Node, name: str) -> None:
        x = self.expressions
        if name in ("first", "last", "list"):
            return
        try:
            aggregate = x.functions.is_aggregate(name)
        except WorkbenchError as error:
            x.fail(node, error.message, error.hint)
        if not aggregate:
            x.fail(node, f"{name}() is not an aggregate", "only aggregates are computed OVER a window")


@dataclass
class _Values:
    """What a catalogue function knows besides its arguments: the row's time, the anchor's time, the anchor's values."""

    aggregates: Aggregates
    call: AggregateCall
    entry: catalogue.Function
    spec: WindowSpec
    items: list[Node]

    def __call__(self, name: str) -> ops.Value:
        if name.startswith("anchor_"):
            return self._of_anchor(name.removeprefix("anchor_"))
        x, spec = self.aggregates.expressions, self.spec
        if name == "now":
            value = spec.order_anchor
        else:
            assert name == "time", name
            value = ops.Field(spec.source.rows, spec.order) if spec.order is not None else None
        if value is None or x.type_of(value) not in ("TIMESTAMP", "DATE"):
            x.fail(
                self.call.node,
                f"{self.call.name}() needs a window that is ordered by a time or date",
                "ORDER BY the time column",
            )
        template = "epoch_us({0})" if x.type_of(value) == "TIMESTAMP" else "epoch_us(CAST({0} AS TIMESTAMP))"
        return x.bind(self.call.node, "sql", template, [value])

    def _of_anchor(self, name: str) -> ops.Value:
        """A parameter as the anchor row has it; only in a window that the anchor row is of."""
        x, windows = self.aggregates.expressions, self.aggregates.windows
        if not self.spec.history:
            x.fail(
                self.call.node,
                f"{self.call.name}() compares the anchor row with its own history, and this window is FROM "
                f"{self.spec.source.table}",
                f"use the parts of it: {self.entry.source}",
            )
        place = [parameter.name for parameter in self.entry.takes].index(name)
        return x.translate(self.items[place], windows.constants)


def _one(star: exp.Star) -> Node:
    """``*`` as an argument: a value that every row has."""
    one = exp.Literal.number(1)
    one.meta.update(star.meta)
    return one


def _direction(key: exp.Ordered) -> tuple[bool, bool]:
    return bool(key.args.get("desc")), bool(key.args.get("nulls_first"))
