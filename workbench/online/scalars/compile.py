"""Expressions of a plan as one generated Python function each plan, key or row.

Values go in and, but for outputs, come out in the form that kernels have: integers, BOOLEAN as 0 and 1 (or False and
True), TIMESTAMP and TIME as microseconds, DATE as days, DECIMAL of up to 18 digits as its unscaled integer; FLOAT and
DOUBLE as float, VARCHAR as str, NULL as None. Anything else (wider DECIMALs, LISTs ...) is the Python value that DuckDB
gives, and can be passed on.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.errors import WorkbenchError
from workbench.online.scalars import arithmetic, logic, runtime, texts, times
from workbench.online.scalars.constants import Constants
from workbench.online.scalars.failures import NotHere
from workbench.online.scalars.value import SCALARS, Unsupported, Value, decimal_parts, is_decimal, is_integer
from workbench.online.scalars.writer import Writer
from workbench.plan import expr as e
from workbench.plan.expr import Expr
from workbench.plan.model import FeaturePlan
from workbench.values.types import INTEGER_RANGES

_HANDLERS = (arithmetic, logic, texts, times)  # imported for what they register
_NAMES = {name: value for name, value in vars(runtime).items() if not name.startswith("_")} | {
    "NotHere": NotHere
}
#: DECIMALs of more digits are no lanes.
_LANE_DIGITS = 18
#: No window holds more rows.
_MOST_ROWS = 2**40
_COUNTS = frozenset({"count", "count_star"})


@dataclass(frozen=True)
class ScalarFunction:
    """A generated function; calling it may raise any of :data:`workbench.online.scalars.FAILURES`.

    Parameters
    ----------
    call
        The function itself: for the hot path.
    source
        Its text.
    """

    call: Callable[..., Any]
    source: str

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)


def compile_outputs(plan: FeaturePlan) -> ScalarFunction | Unsupported:
    """Return ``outputs(anchor, lookups, aggregates) -> (kept, *features)``, as the reference driver answers a row.

    ``anchor`` holds the values of ``plan.anchor_columns`` in their order, ``lookups`` those of all columns of all
    lookups in the plan's order, ``aggregates`` those of ``plan.aggregates``. Features come out as DuckDB's Python
    package gives them. Of a row that the view's WHERE leaves out all features are None.
    """
    return _guarded(lambda: _Outputs(plan).function())


def compile_keys(exprs: Sequence[Expr], plan: FeaturePlan) -> ScalarFunction | Unsupported:
    """Return ``values(anchor, lookups) -> tuple`` of expressions over the anchor row and lookups, as lanes.

    ``anchor`` and ``lookups`` are as for :func:`compile_outputs`; lookups that no expression reads may be missing at
    the end of theirs.
    """
    return _guarded(lambda: _Keys(exprs, plan).function())


def compile_row(exprs: Sequence[Expr], columns: Mapping[str, str]) -> ScalarFunction | Unsupported:
    """Return ``values(row) -> tuple`` of expressions over one row, as lanes.

    Parameters
    ----------
    exprs
        Expressions over columns of one row, whatever their source is called.
    columns
        Names and types of the columns, in the order in which a row has them.
    """
    return _guarded(lambda: _Row(exprs, columns).function())


def _guarded(make: Callable[[], ScalarFunction]) -> ScalarFunction | Unsupported:
    try:
        return make()
    except Unsupported as refusal:
        return refusal
    except (SyntaxError, RecursionError, MemoryError):
        return Unsupported("an expression is nested too deep")
    except WorkbenchError as error:
        return Unsupported(error.message)


class _Function:
    """One function while it is made; ``inputs`` are its parameters, each a sequence of values."""

    inputs: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.constants = Constants()
        self.writer = Writer(self.leaf, self.constants)
        self.used: dict[str, str] = {}

    def leaf(self, node: e.Column | e.AggregateRef) -> Value:
        raise NotImplementedError

    def body(self) -> None:
        """Write everything behind the first line."""
        raise NotImplementedError

    def read(self, place: str, kind: str, **known: Any) -> Value:
        """The value of an input, which is read when the function begins."""
        name = self.used.setdefault(place, f"v{len(self.used)}")
        if is_decimal(kind) and decimal_parts(kind)[0] > _LANE_DIGITS:
            value = Value(name, kind, atom=True)
            return self.writer.strict([value], f"from_decimal({{}}, {decimal_parts(kind)[1]})".format, kind)
        return Value(name, kind, atom=True, raw=kind == "BOOLEAN", **known)

    def function(self) -> ScalarFunction:
        try:
            self.body()
        finally:
            self.constants.close()
        lines = [f"{name} = {place}" for place, name in self.used.items()] + self.writer.root.lines
        source = f"def scalars({', '.join(self.inputs)}):\n" + "\n".join(f" {line}" for line in lines) + "\n"
        namespace = dict(_NAMES)
        filename = f"<scalars {hash(source):x}>"
        exec(compile(source, filename, "exec"), namespace)
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        return ScalarFunction(namespace["scalars"], source)

    def lane(self, expr: Expr) -> str:
        value = self.writer.value(expr)
        if value.is_const and isinstance(value.const, tuple):
            raise Unsupported("an interval is no lane")
        return _wide(value)


def _wide(value: Value) -> str:
    if is_decimal(value.type) and decimal_parts(value.type)[0] > _LANE_DIGITS:
        raise Unsupported(f"{value.type} is no lane")
    return value.code


class _Outputs(_Function):
    inputs: tuple[str, ...] = ("anchor", "lookups", "aggregates")

    def __init__(self, plan: FeaturePlan) -> None:
        super().__init__()
        self.plan = plan
        self.anchor = {name: (place, kind) for place, (name, kind) in enumerate(plan.anchor_columns)}
        names = [(lookup.name, name) for lookup in plan.lookups for name, _ in lookup.columns]
        self.lookups = {name: place for place, name in enumerate(names)}
        self.aggregates = {a.name: (place, a) for place, a in enumerate(plan.aggregates)}

    def leaf(self, node: e.Column | e.AggregateRef) -> Value:
        if isinstance(node, e.AggregateRef):
            place, aggregate = self.aggregates[node.name]
            code = f"aggregates[{place}]"
            if aggregate.function in _COUNTS and is_integer(node.type):
                most = min(_MOST_ROWS, INTEGER_RANGES[node.type][1])
                return self.read(code, node.type, null=False, low=0, high=most)
            return self.read(code, node.type)
        if node.source in (e.ANCHOR, e.ROW):
            place, kind = self.anchor[node.name]
            given = self.plan.rows is None and node.name == self.plan.time
            return self.read(f"anchor[{place}]", kind, null=not given)
        return self.read(f"lookups[{self.lookups[node.source, node.name]}]", node.type)

    def body(self) -> None:
        plan, w = self.plan, self.writer
        if plan.where is not None:
            w.expect([plan.where])
            nothing = "None, " * len(plan.outputs)
            kept = logic.truth(w, plan.where)
            w.line(f"if not {kept}: return (False, {nothing})")
        w.expect([output.expr for output in plan.outputs])
        codes = []
        for output in plan.outputs:
            try:
                codes.append(self.output(w.value(output.expr), output.type))
            except Unsupported as refusal:
                raise Unsupported(f"{output.name}: {refusal.reason}") from None
        w.line(f"return (True, {', '.join(codes)})")

    def output(self, value: Value, kind: str) -> str:
        """Text of a value as DuckDB's Python package gives it."""
        w = self.writer
        if value.is_const and value.const is None:
            return "None"
        if value.type != kind and value.type in SCALARS:
            raise Unsupported(f"it is {value.type}, not {kind}")
        if kind == "BOOLEAN":
            return w.strict([value], "(True if {} else False)".format, kind).code if value.raw else value.code
        code = {
            "TIMESTAMP": "to_datetime({})",
            "DATE": "to_date({})",
            "TIME": "to_time({})",
            "INTERVAL": "to_timedelta({})",
        }.get(kind)
        if is_decimal(kind):
            code = f"to_decimal({{}}, {decimal_parts(kind)[1]})"
        return value.code if code is None else w.strict([value], code.format, kind).code


class _Keys(_Outputs):
    inputs = ("anchor", "lookups")

    def __init__(self, exprs: Sequence[Expr], plan: FeaturePlan) -> None:
        super().__init__(plan)
        self.exprs = exprs

    def body(self) -> None:
        self.writer.expect(self.exprs)
        codes = [self.lane(expr) for expr in self.exprs]
        self.writer.line(f"return ({''.join(f'{code}, ' for code in codes)})")


class _Row(_Function):
    inputs = ("row",)

    def __init__(self, exprs: Sequence[Expr], columns: Mapping[str, str]) -> None:
        super().__init__()
        self.exprs = exprs
        self.columns = {name: (place, kind) for place, (name, kind) in enumerate(columns.items())}

    def leaf(self, node: e.Column | e.AggregateRef) -> Value:
        if isinstance(node, e.AggregateRef) or node.name not in self.columns:
            raise Unsupported(f"{node.name} is not a column of the row")
        place, kind = self.columns[node.name]
        return self.read(f"row[{place}]", kind)

    def body(self) -> None:
        self.writer.expect(self.exprs)
        codes = [self.lane(expr) for expr in self.exprs]
        self.writer.line(f"return ({''.join(f'{code}, ' for code in codes)})")
