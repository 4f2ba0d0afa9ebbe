"""Writes a query in the workbench's dialect."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from .catalogue import WRITTEN
from .query import (
    Aggregate,
    Call,
    Column,
    Expression,
    Join,
    Literal,
    Now,
    Output,
    PartitionKey,
    Query,
    Source,
    Window,
    direct,
    maybe,
)

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
            named[join.cte] = _subquery(join.table, join.derived, maybe(join.where), query)
    for window in query.windows:
        source = window.source
        if source and source.name and not source.inner:
            named[source.name] = _subquery(source.table, source.derived, maybe(source.where), query)
    named |= {part.name: render(part) for part in direct(query) if part.written == "cte"}
    texts = [f"{name} AS ({text})" for name, text in named.items()]
    return ["WITH " + ",\n     ".join(texts)] if texts else []


def views(query: Query) -> dict[str, str]:
    """The views that must be defined before the query, in order, with their texts."""
    found: dict[str, str] = {}
    for part in direct(query):
        found |= views(part)
        if part.written == "view":
            found[part.name] = render(part)
    return found


def _placed(part: Query, alias: str) -> str:
    """A query in the place of a table."""
    text = f"({indented(render(part))})" if part.written == "subquery" else part.name
    return text if alias == part.name and part.written != "subquery" else f"{text} AS {alias}"


def indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _anchor(query: Query) -> str:
    if query.inner:
        return _placed(query.inner, query.alias)
    if query.where_in == "cte":
        return f"base AS {query.alias}"
    if query.where_in == "subquery":
        return f"({_subquery(query.table, query.derived, query.where, query)}) AS {query.alias}"
    return _aliased(query.table, query.alias)


def _join(join: Join, query: Query) -> str:
    if join.inner:
        right = _placed(join.inner, join.alias)
    elif join.group:
        right = f"({_grouped(join, query)}) AS {join.alias}"
    elif join.cte:
        right = f"{join.cte} AS {join.alias}"
    elif join.where is not None or join.derived:
        right = f"({_subquery(join.table, join.derived, maybe(join.where), query)}) AS {join.alias}"
    else:
        right = _aliased(join.table, join.alias)
    order = f" ORDER BY {expression(join.order, query)}" if join.order else ""
    terms = [
        f"{expression(left, query)} = {expression(right_column, query)}" for right_column, left in join.keys
    ]
    terms += [expression(condition, query) for condition in join.conditions]
    return f"LAST JOIN {right}{order} ON {' AND '.join(terms)}"


def _grouped(join: Join, query: Query) -> str:
    keys = ", ".join(dict.fromkeys(right.name for right, _ in join.keys))
    columns = ", ".join(f"{expression(o.expression, query)} AS {o.name}" for o in join.group)
    where = f" WHERE {expression(join.where, query)}" if join.where is not None else ""
    having = f" HAVING {expression(join.having, query)}" if join.having is not None else ""
    return f"SELECT {keys}, {columns} FROM {join.table}{where} GROUP BY {keys}{having}"


def _subquery(table: str, derived: tuple[Output, ...], where: tuple[Expression, ...], query: Query) -> str:
    columns = "".join(f", {expression(column.expression, query)} AS {column.name}" for column in derived)
    return f"SELECT *{columns} FROM {table}" + (f" WHERE {_conjunction(where, query)}" if where else "")


def _conjunction(conditions: tuple[Expression, ...], query: Query) -> str:
    return " AND ".join(expression(condition, query) for condition in conditions)


def window_body(window: Window, query: Query) -> str:
    parts = []
    if window.union:
        parts.append("UNION " + ", ".join(_source(source, query) for source in window.union))
    if window.source:
        parts.append(f"FROM {_source(window.source, query)}")
        if window.source.where is not None and (window.source.inner or not window.source.name):
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
    if window.exclude_current_time:
        parts.append("EXCLUDE CURRENT_TIME")
    if window.instance_not_in_window:
        parts.append("INSTANCE_NOT_IN_WINDOW")
    return " ".join(parts)


def _source(source: Source, query: Query) -> str:
    if source.more:
        assert source.inner
        arms = " UNION ALL ".join(f"{render(part)}" for part in (source.inner, *source.more))
        return f"({arms}) AS {source.alias}"
    return _placed(source.inner, source.alias) if source.inner else source.alias


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
    if node.parameter:
        return f":{node.parameter}"
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
    if isinstance(value, timedelta):
        return f"INTERVAL '{value // timedelta(seconds=1)} seconds'"
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
    args = ", ".join(_argument(arg, query) for arg in node.args) or ("*" if node.name == "count" else "")
    if node.order:
        terms = (f"{expression(value, query)} {'DESC' if desc else 'ASC'}" for value, desc in node.order)
        args += f" ORDER BY {', '.join(terms)}"
    args += " IGNORE NULLS" if node.ignore_nulls else ""
    text = f"{WRITTEN.get(node.name, node.name)}({'DISTINCT ' if node.distinct else ''}{args})"
    if node.where is not None:
        text += f" FILTER (WHERE {_argument(node.where, query)})"
    if not node.window:
        return text
    window = query.window(node.window)
    return f"{text} OVER ({window_body(window, query)})" if window.inline else f"{text} OVER {window.name}"


def _argument(node: Expression, query: Query) -> str:
    """An aggregate's argument: aggregates inside it are over the same window and do not name it."""
    return expression(_without_windows(node), query)


def _without_windows(node: Expression) -> Expression:
    if isinstance(node, Aggregate):
        return replace(node, window="")
    if isinstance(node, Call):
        return replace(node, args=tuple(_without_windows(arg) for arg in node.args))
    return node


def _partition_key(key: PartitionKey, window: Window, query: Query) -> str:
    if not window.source:
        return expression(key.anchor, query)
    if not key.explicit:
        return key.column
    return f"{window.source.alias}.{key.column} = {expression(key.anchor, query)}"


def _aliased(table: str, alias: str) -> str:
    return table if alias == table else f"{table} AS {alias}"
