"""Functions of dates and times, which are in the zone UTC+8."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ibis.expr.operations as ops
from sqlglot import exp

from workbench.sql.openmldb import types as t
from workbench.sql.openmldb.functions.registry import arity, named

if TYPE_CHECKING:
    from workbench.sql.openmldb.expressions import OpenMLDBExpressions


def _local(x: OpenMLDBExpressions, node: exp.Anonymous, value: ops.Value) -> ops.Value:
    """A date, or a time in the zone; numbers are milliseconds, and a text is a time."""
    if x.type_of(value) == "DATE":
        return value
    time = x.convert(node, value, "TIMESTAMP")
    return x.sql(node, lambda s: f"{s} + {t.ZONE}", time)


_PARTS = {
    **dict.fromkeys(("year", "month", "day", "hour", "minute", "second"), "{0}"),
    "dayofmonth": "day",
    "dayofyear": "dayofyear",
    "week": "week",
    "weekofyear": "week",
}


@named(*_PARTS)
def _part(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    name = _PARTS[node.name.casefold()].format(node.name.casefold())
    return x.sql(node, lambda s: f"CAST({name}({s}) AS INTEGER)", _local(x, node, args[0]))


@named("dayofweek")
def _dayofweek(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """1 is Sunday."""
    arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(dayofweek({s}) + 1 AS INTEGER)", _local(x, node, args[0]))


@named("last_day")
def _last_day(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 1, 1)
    return x.sql(node, lambda s: f"CAST(last_day({s}) AS DATE)", _local(x, node, args[0]))


@named("date_format")
def _date_format(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 2)
    pattern = x.convert(node, args[1], "VARCHAR")
    return x.bind(node, "call", "strftime", [_local(x, node, args[0]), pattern])


@named("datediff")
def _datediff(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Days from the second date to the first."""
    arity(x, node, args, 2, 2)
    dates = [x.convert(node, value, "DATE") for value in args]
    return x.sql(node, lambda a, b: f"CAST({a} - {b} AS INTEGER)", *dates)


@named("add_months")
def _add_months(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    arity(x, node, args, 2, 2)
    date, count = x.convert(node, args[0], "DATE"), x.convert(node, args[1], "INTEGER")
    return x.sql(node, lambda d, n: f"try(CAST({d} + to_months({n}) AS DATE))", date, count)


@named("unix_timestamp")
def _unix_timestamp(x: OpenMLDBExpressions, node: exp.Anonymous, args: list[ops.Value]) -> ops.Value:
    """Seconds; of nothing, NULL or '' those of now."""
    arity(x, node, args, 0, 1)
    if not args:
        return x.sql(node, _seconds, x.now(node, "TIMESTAMP"))
    time = x.convert(node, args[0], "TIMESTAMP")
    if not x.has_now:
        return x.sql(node, _seconds, time)
    nothing = "{0} IS NULL OR {0} = ''" if x.type_of(args[0]) == "VARCHAR" else "{0} IS NULL"
    absent = x.bind(node, "sql", nothing, [args[0]])
    return x.sql(node, _seconds, x.bind(node, "op", "case", [absent, x.now(node, "TIMESTAMP"), time]))


def _seconds(time: str) -> str:
    return f"CAST(epoch_ms({time}) // 1000 AS BIGINT)"
