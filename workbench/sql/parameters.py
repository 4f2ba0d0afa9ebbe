"""Parameters: ``:name`` in a query, bound to values when it is defined. A bound value is part of the version."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlglot import exp

from workbench.errors import DefinitionError, did_you_mean
from workbench.sql.dialect import position_of

_DAY, _SECOND = 86_400_000_000, 1_000_000


def bind(query: exp.Expr, values: Mapping[str, Any], text: str) -> exp.Expr:
    """Return a query with literals in the place of its parameters.

    Parameters
    ----------
    query
        The parsed query.
    values
        A value for each parameter: a bool, int, float, str, Decimal, date, datetime (naive means UTC), timedelta, None,
        or a list of such.
    text
        The query's text, for positions.

    Raises
    ------
    DefinitionError
        A parameter has no value, a value no parameter, or a value cannot be written as a literal.

    Examples
    --------
    >>> from workbench.sql.dialect import parse
    >>> text = "SELECT n + :more AS m FROM tx"
    >>> bind(parse(text), {"more": 2}, text).sql("duckdb")
    'SELECT n + 2 AS m FROM tx'
    """
    by_name = {name.casefold(): name for name in values}
    used = set()
    for node in list(query.find_all(exp.Placeholder, exp.Parameter)):
        name = node.name if node.this else ""
        place = position_of(node, text)
        if not name:
            raise DefinitionError(
                "a parameter has a name",
                hint="write :name and params={'name': value}",
                position=place,
                source=text,
            )
        if isinstance(node.parent, exp.Table):
            raise DefinitionError(
                f"the parameter :{name} is a value, and cannot stand for the name of a table",
                hint="write the table's name, and define one view for each table",
                position=place,
                source=text,
            )
        if name.casefold() not in by_name:
            close = did_you_mean(name, list(values))
            raise DefinitionError(
                f"the parameter :{name} has no value" + (f"; {close}" if close else ""),
                hint=f"project.define(..., params={{'{name}': value}})",
                position=place,
                source=text,
            )
        used.add(name.casefold())
        try:
            _replace(node, literal(values[by_name[name.casefold()]]))
        except ValueError as error:
            raise DefinitionError(
                f"the parameter :{name} is {error}",
                hint="pass a bool, int, float, str, finite Decimal, date, datetime, timedelta, None or a list of such",
                position=place,
                source=text,
            ) from None
    unused = [name for folded, name in by_name.items() if folded not in used]
    if unused:
        raise DefinitionError(
            f"the query has no parameter :{unused[0]}",
            hint=f"its parameters are {', '.join(sorted(f':{name}' for name in used)) or 'none'}",
            source=text,
        )
    return query


def literal(value: Any) -> exp.Expr:
    """Return a value as the literal that DuckDB gives its type.

    Raises
    ------
    ValueError
        The value is of a type that no literal has.

    Examples
    --------
    >>> literal(dt.date(2026, 1, 31)).sql("duckdb"), literal(dt.timedelta(days=7)).sql("duckdb")
    ("CAST('2026-01-31' AS DATE)", "INTERVAL '7 days'")
    """
    if isinstance(value, list | tuple):
        return exp.Array(expressions=[literal(element) for element in value])
    if value is None:
        return exp.Null()
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, int):
        return _number(str(value))
    if isinstance(value, float):
        text = repr(value) if math.isfinite(value) else {math.inf: "inf", -math.inf: "-inf"}.get(value, "nan")
        return _cast(text, "DOUBLE")
    if isinstance(value, Decimal) and value.is_finite():
        return _number(f"{value:f}")
    if isinstance(value, str):
        return exp.Literal.string(value)
    if isinstance(value, dt.datetime):
        naive = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo is not None else value
        return _cast(str(naive), "TIMESTAMP")
    if isinstance(value, dt.date):
        return _cast(str(value), "DATE")
    if isinstance(value, dt.timedelta):
        return exp.Interval(this=exp.Literal.string(_span(value)))
    raise ValueError(f"of type {type(value).__name__}, which no literal has")


def _replace(node: exp.Expr, value: exp.Expr) -> None:
    """Put a literal where a parameter stands; of a list in IN, each of its elements."""
    for part in value.walk():
        part.meta.update(node.meta)
    inside = (
        isinstance(value, exp.Array) and isinstance(node.parent, exp.In) and node.arg_key == "expressions"
    )
    node.replace(value.expressions if inside else value)


def _number(text: str) -> exp.Expr:
    number = exp.Literal.number(text.lstrip("-"))
    return exp.Paren(this=exp.Neg(this=number)) if text.startswith("-") else number


def _cast(text: str, kind: str) -> exp.Expr:
    return exp.Cast(this=exp.Literal.string(text), to=exp.DataType.build(kind, dialect="duckdb"))


def _span(value: dt.timedelta) -> str:
    """A duration as an interval's text, in the largest unit that says it exactly."""
    micros = value // dt.timedelta(microseconds=1)
    for size, unit in ((_DAY, "days"), (_SECOND, "seconds"), (1, "microseconds")):
        if micros % size == 0:
            return f"{micros // size} {unit}"
    raise AssertionError(micros)
