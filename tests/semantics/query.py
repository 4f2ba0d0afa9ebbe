"""Feature queries as plain data: what the generator draws, the brute-force evaluator runs and :func:`render` writes.

Nothing here comes from the package under test. Column references carry the alias they belong to, so that evaluation
never has to resolve names; ``qualified`` only says how the text is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

# ---- expressions


@dataclass(frozen=True)
class Column:
    """A column of the row behind ``source`` (anchor alias, join alias, or the table of a ``FROM`` window)."""

    source: str
    name: str
    type: str
    qualified: bool = True


@dataclass(frozen=True)
class Literal:
    value: Any
    type: str


@dataclass(frozen=True)
class Now:
    """``now()``: the anchor's time."""

    type: str = "TIMESTAMP"


@dataclass(frozen=True)
class Call:
    """An operator, a special form (``case``, ``cast``, ``and`` …) or a scalar function."""

    name: str
    args: tuple[Expression, ...]
    type: str


@dataclass(frozen=True)
class Aggregate:
    """``name(args) [FILTER (WHERE where)] OVER window``; no arguments means ``count(*)``."""

    name: str
    args: tuple[Expression, ...]
    type: str
    window: str
    where: Expression | None = None
    distinct: bool = False


Expression = Column | Literal | Now | Call | Aggregate

# ---- clauses


@dataclass(frozen=True)
class Output:
    """``expression AS name``, in the SELECT list or in that of a subquery."""

    name: str
    expression: Expression


@dataclass(frozen=True)
class Bound:
    """An end of a frame. ``offset`` is a number of rows, of microseconds, or of the integer order column's units."""

    kind: str  # "unbounded", "current" or "offset"
    offset: int = 0
    open: bool = False
    text: str = ""

    def __str__(self) -> str:
        if self.kind == "unbounded":
            return "UNBOUNDED PRECEDING"
        if self.kind == "current":
            return "CURRENT ROW"
        return f"{self.text} OPEN PRECEDING" if self.open else f"{self.text} PRECEDING"


@dataclass(frozen=True)
class Frame:
    unit: str  # "ROWS", "RANGE" or "ROWS_RANGE"
    start: Bound
    end: Bound

    def __str__(self) -> str:
        return f"{self.unit} BETWEEN {self.start} AND {self.end}"


@dataclass(frozen=True)
class PartitionKey:
    """``PARTITION BY column``, or ``source.column = anchor`` in a window over another table."""

    column: str
    anchor: Expression
    explicit: bool = False


@dataclass(frozen=True)
class Source:
    """``FROM table [WHERE condition]`` inside a window; ``name`` is the CTE that stands for it in the text."""

    table: str
    where: Expression | None = None
    name: str = ""
    derived: tuple[Output, ...] = ()

    @property
    def alias(self) -> str:
        return self.name or self.table


@dataclass(frozen=True)
class Window:
    name: str
    partition: tuple[PartitionKey, ...]
    order: Column
    frame: Frame | None = None
    maxsize: int | None = None
    exclude_current_row: bool = False
    source: Source | None = None
    inline: bool = False


@dataclass(frozen=True)
class Join:
    """``LAST JOIN table AS alias [ORDER BY order] ON keys [AND conditions]``.

    ``where`` is a filter on the right side, written as a subquery or, when ``cte`` names one, before the query.
    """

    alias: str
    table: str
    keys: tuple[
        tuple[Column, Column], ...
    ]  # (column of the right side, column of the anchor or of an earlier join)
    conditions: tuple[Expression, ...] = ()
    order: Column | None = None
    where: Expression | None = None
    cte: str = ""
    derived: tuple[Output, ...] = ()


@dataclass(frozen=True)
class Query:
    table: str
    alias: str
    outputs: tuple[Output, ...]
    joins: tuple[Join, ...] = ()
    where: tuple[Expression, ...] = ()
    windows: tuple[Window, ...] = ()
    where_in: str = "query"  # where its WHERE is written: "query", "subquery" or "cte"
    derived: tuple[Output, ...] = ()  # columns that this subquery or CTE adds

    def window(self, name: str) -> Window:
        return next(window for window in self.windows if window.name == name)


# ---- text

INFIX = {"+", "-", "*", "/", "//", "%", "=", "<>", "<", "<=", ">", ">=", "||"}
WORDS = {"and": "AND", "or": "OR", "is distinct from": "IS DISTINCT FROM", "like": "LIKE"}


def render(query: Query) -> str:
    """Write the query in the workbench dialect."""
    outputs = ",\n       ".join(f"{expression(o.expression, query)} AS {o.name}" for o in query.outputs)
    lines = [*_ctes(query), f"SELECT {outputs}", f"FROM {_anchor(query)}"]
    lines += [_join(join, query) for join in query.joins]
    if query.where and query.where_in == "query":
        lines.append(f"WHERE {_conjunction(query.where, query)}")
    named = [f"{w.name} AS ({window_body(w, query)})" for w in query.windows if not w.inline]
    if named:
        lines.append("WINDOW " + ",\n       ".join(named))
    return "\n".join(lines)


def _ctes(query: Query) -> list[str]:
    """Subqueries that are written before the query, under a name."""
    named = {}
    if query.where_in == "cte":
        named["base"] = _subquery(query.table, query.derived, query.where, query)
    for join in query.joins:
        if join.cte:
            named[join.cte] = _subquery(join.table, join.derived, _maybe(join.where), query)
    for window in query.windows:
        if window.source and window.source.name:
            source = window.source
            named[source.name] = _subquery(source.table, source.derived, _maybe(source.where), query)
    texts = [f"{name} AS ({text})" for name, text in named.items()]
    return ["WITH " + ",\n     ".join(texts)] if texts else []


def _anchor(query: Query) -> str:
    if query.where_in == "cte":
        return f"base AS {query.alias}"
    if query.where_in == "subquery":
        return f"({_subquery(query.table, query.derived, query.where, query)}) AS {query.alias}"
    return _aliased(query.table, query.alias)


def _join(join: Join, query: Query) -> str:
    if join.cte:
        right = f"{join.cte} AS {join.alias}"
    elif join.where is not None or join.derived:
        right = f"({_subquery(join.table, join.derived, _maybe(join.where), query)}) AS {join.alias}"
    else:
        right = _aliased(join.table, join.alias)
    order = f" ORDER BY {expression(join.order, query)}" if join.order else ""
    terms = [
        f"{expression(left, query)} = {expression(right_column, query)}" for right_column, left in join.keys
    ]
    terms += [expression(condition, query) for condition in join.conditions]
    return f"LAST JOIN {right}{order} ON {' AND '.join(terms)}"


def _subquery(table: str, derived: tuple[Output, ...], where: tuple[Expression, ...], query: Query) -> str:
    columns = "".join(f", {expression(column.expression, query)} AS {column.name}" for column in derived)
    return f"SELECT *{columns} FROM {table}" + (f" WHERE {_conjunction(where, query)}" if where else "")


def _maybe(condition: Expression | None) -> tuple[Expression, ...]:
    return () if condition is None else (condition,)


def _conjunction(conditions: tuple[Expression, ...], query: Query) -> str:
    return " AND ".join(expression(condition, query) for condition in conditions)


def window_body(window: Window, query: Query) -> str:
    parts = []
    if window.source:
        parts.append(f"FROM {window.source.alias}")
        if window.source.where is not None and not window.source.name:
            parts.append(f"WHERE {expression(window.source.where, query)}")
    if window.partition:
        parts.append(
            "PARTITION BY " + ", ".join(_partition_key(key, window, query) for key in window.partition)
        )
    parts.append(f"ORDER BY {expression(window.order, query)}")
    if window.frame:
        parts.append(str(window.frame))
    if window.maxsize is not None:
        parts.append(f"MAXSIZE {window.maxsize}")
    if window.exclude_current_row:
        parts.append("EXCLUDE CURRENT_ROW")
    return " ".join(parts)


def expression(node: Expression, query: Query) -> str:
    match node:
        case Column(source, name, _, qualified):
            return f"{source}.{name}" if qualified else name
        case Literal():
            return literal(node)
        case Now():
            return "now()"
        case Call():
            return _call(node, query)
        case Aggregate():
            return _aggregate(node, query)


def literal(node: Literal) -> str:
    value = node.value
    if value is None:
        return f"CAST(NULL AS {node.type})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float):
        return f"CAST({value!r} AS DOUBLE)" if node.type == "DOUBLE" else repr(value)
    assert isinstance(value, int | Decimal)
    return f"({value})" if value < 0 else str(value)  # -(-1), never the comment --1


def _call(node: Call, query: Query) -> str:
    args = [expression(arg, query) for arg in node.args]
    name = node.name
    if name in INFIX or name in WORDS:
        return "(" + f" {WORDS.get(name, name)} ".join(args) + ")"
    if name == "case":  # condition, value, condition, value, …, else
        whens = " ".join(f"WHEN {c} THEN {v}" for c, v in zip(args[0:-1:2], args[1:-1:2], strict=True))
        return f"CASE {whens} ELSE {args[-1]} END"
    simple = {
        "cast": lambda: f"CAST({args[0]} AS {node.type})",
        "try_cast": lambda: f"TRY_CAST({args[0]} AS {node.type})",
        "not": lambda: f"(NOT {args[0]})",
        "negate": lambda: f"(-{args[0]})",
        "is null": lambda: f"({args[0]} IS NULL)",
        "is not null": lambda: f"({args[0]} IS NOT NULL)",
        "in": lambda: f"({args[0]} IN ({', '.join(args[1:])}))",
        "not in": lambda: f"({args[0]} NOT IN ({', '.join(args[1:])}))",
        "between": lambda: f"({args[0]} BETWEEN {args[1]} AND {args[2]})",
        "extract": lambda: f"EXTRACT({node.args[0].value} FROM {args[1]})",  # type: ignore[union-attr]
        "plus interval": lambda: f"({args[0]} + INTERVAL {args[1]} {node.args[2].value})",  # type: ignore[union-attr]
        "minus interval": lambda: f"({args[0]} - INTERVAL {args[1]} {node.args[2].value})",  # type: ignore[union-attr]
    }
    return simple[name]() if name in simple else f"{name}({', '.join(args)})"


def _aggregate(node: Aggregate, query: Query) -> str:
    args = ", ".join(expression(arg, query) for arg in node.args) or "*"
    text = f"{node.name}({'DISTINCT ' if node.distinct else ''}{args})"
    if node.where is not None:
        text += f" FILTER (WHERE {expression(node.where, query)})"
    window = query.window(node.window)
    return f"{text} OVER ({window_body(window, query)})" if window.inline else f"{text} OVER {window.name}"


def _partition_key(key: PartitionKey, window: Window, query: Query) -> str:
    if not window.source:
        return expression(key.anchor, query)
    if not key.explicit:
        return key.column
    return f"{window.source.alias}.{key.column} = {expression(key.anchor, query)}"


def _aliased(table: str, alias: str) -> str:
    return table if alias == table else f"{table} AS {alias}"
