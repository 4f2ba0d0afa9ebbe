"""Plans without lists of which only single elements or the length are used: kernels pick those."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from workbench.plan import expr as e
from workbench.plan.expr import AggregateRef, Call, Expr, Literal, Op, Sql
from workbench.plan.model import Aggregate, FeaturePlan
from workbench.plan.template import NotPlain, parsed

#: Aggregates that a plan gets here, which DuckDB does not have: row ``n`` from the oldest (1), or newest (0).
NTH, NTH_NEWEST = "nth", "nth_newest"

_WHOLE = re.compile(r"-?[0-9]{1,9}")
_ZERO = Literal("0", "INTEGER")


def with_picks(plan: FeaturePlan) -> FeaturePlan:
    """Return a plan of the same values in which elements and lengths of lists are aggregates of their own.

    ``list(x)[n]`` becomes ``nth(x, n)``, ``list(x)[-1]`` ``nth_newest(x, 0)``, ``len(list(x))`` a count of rows that is
    NULL where there are none. Other uses of lists stay. The result is for kernels alone.
    """
    lists = {a.name: a for a in plan.aggregates if _is_list(plan, a)}
    if not lists:
        return plan
    picker = _Picker(lists)
    outputs = tuple(
        msgspec.structs.replace(output, expr=e.transform(output.expr, picker.change))
        for output in plan.outputs
    )
    where = None if plan.where is None else e.transform(plan.where, picker.change)
    used = _used([*(output.expr for output in outputs), *([where] if where is not None else [])])
    kept = [a for a in plan.aggregates if a.name not in lists or a.name in used]
    made = tuple(a for a in picker.made.values() if a.name in used)
    return msgspec.structs.replace(plan, outputs=outputs, where=where, aggregates=(*kept, *made))


def _is_list(plan: FeaturePlan, aggregate: Aggregate) -> bool:
    plain = aggregate.function in ("list", "array_agg") and len(aggregate.args) == 1
    changed = aggregate.distinct or aggregate.order or aggregate.cast
    return plain and not changed and not plan.window(aggregate.window).frame.ahead


def _used(exprs: Iterable[Expr]) -> set[str]:
    return {node.name for expr in exprs for node in e.walk(expr) if isinstance(node, AggregateRef)}


class _Picker:
    def __init__(self, lists: dict[str, Aggregate]) -> None:
        self.lists = lists
        self.made: dict[str, Aggregate] = {}

    def change(self, expr: Expr) -> Expr | None:
        if isinstance(expr, Sql):
            return self._text(expr)
        if isinstance(expr, Op) and expr.op == "index":
            return self._element(*expr.args)
        if isinstance(expr, Call) and expr.name in ("len", "length", "array_length") and len(expr.args) == 1:
            return self._length(expr.args[0])
        if isinstance(expr, Op) and expr.op == "is null":
            rows = self._rows(expr.args[0])
            return None if rows is None else Op("=", (rows, _ZERO), "BOOLEAN")
        return None

    def _text(self, sql: Sql) -> Expr | None:
        """The text as operators, where it uses lists in no other way."""
        if not any(isinstance(arg, AggregateRef) and arg.name in self.lists for arg in sql.args):
            return None
        try:
            found = e.transform(_unfolded(sql), self.change)
        except NotPlain:
            return None
        return None if _used([found]) & self.lists.keys() else found

    def _list(self, expr: Expr) -> Aggregate | None:
        return self.lists.get(expr.name) if isinstance(expr, AggregateRef) else None

    def _element(self, value: Expr, index: Expr) -> Expr | None:
        found = self._list(value)
        if found is None or not (isinstance(index, Literal) and _WHOLE.fullmatch(index.sql)):
            return None
        kind, place = found.type.removesuffix("[]"), int(index.sql)
        if kind == found.type or not place:
            return None
        function, n = (NTH, place) if place > 0 else (NTH_NEWEST, -place - 1)
        args = (found.args[0], Literal(str(n), "INTEGER"))
        return self._aggregate(found, f"{function}{n}", function, args, kind)

    def _length(self, value: Expr) -> Expr | None:
        rows = self._rows(value)
        return None if rows is None else Call("nullif", (rows, _ZERO), "BIGINT")

    def _rows(self, value: Expr) -> Expr | None:
        found = self._list(value)
        return None if found is None else self._aggregate(found, "rows", "count_star", (), "BIGINT")

    def _aggregate(
        self, of: Aggregate, suffix: str, function: str, args: tuple[Expr, ...], kind: str
    ) -> AggregateRef:
        name = f"{of.name}_{suffix}"
        self.made[name] = Aggregate(name, of.window, function, args, kind, where=of.where, written=of.written)
        return AggregateRef(name, kind)


def _unfolded(expr: Expr) -> Expr:
    """An expression without plain text; lambdas are refused."""
    return e.transform(expr, lambda node: _unfolded(parsed(node)) if isinstance(node, Sql) else None)
