"""Ibis's aggregates as calls of our dialect."""

from __future__ import annotations

from collections.abc import Callable

import ibis.expr.operations as ops
from ibis.expr.operations.udf import AggUDF, InputType

from workbench.errors import DefinitionError
from workbench.plan.text_expr import name

Write = Callable[[ops.Value], str]

#: Aggregates whose arguments stand in DuckDB's function as they do in Ibis's.
_FUNCTIONS: dict[type[ops.Value], str] = {
    ops.Count: "count",
    ops.Sum: "sum",
    ops.Mean: "avg",
    ops.Min: "min",
    ops.Max: "max",
    ops.Median: "median",
    ops.ApproxMedian: "median",
    ops.Quantile: "quantile_cont",
    ops.ApproxQuantile: "approx_quantile",
    ops.MultiQuantile: "quantile_cont",
    ops.ArgMax: "arg_max",
    ops.ArgMin: "arg_min",
    ops.Mode: "mode",
    ops.Arbitrary: "any_value",
    ops.ApproxCountDistinct: "approx_count_distinct",
    ops.Any: "bool_or",
    ops.All: "bool_and",
    ops.BitAnd: "bit_and",
    ops.BitOr: "bit_or",
    ops.BitXor: "bit_xor",
    ops.GroupConcat: "string_agg",
    ops.First: "first_value",
    ops.Last: "last_value",
    ops.ArrayCollect: "list",
}
_BY_HOW: dict[type[ops.Value], tuple[str, str]] = {
    ops.StandardDev: ("stddev_samp", "stddev_pop"),
    ops.Variance: ("var_samp", "var_pop"),
    ops.Covariance: ("covar_samp", "covar_pop"),
    ops.Correlation: ("corr", "corr"),
    ops.Kurtosis: ("kurtosis", "kurtosis_pop"),
}
_REFUSED: dict[type[ops.Value], tuple[str, str]] = {
    ops.Lead: ("looks at rows of the future, which a request cannot have seen", "use lag()"),
    ops.RowNumber: (
        "numbers the rows of a result; a feature is one value of one request",
        "count() over the window",
    ),
    ops.MinRank: (
        "compares rows of a result; a feature is one value of one request",
        "count(where=) over the window",
    ),
    ops.DenseRank: (
        "compares rows of a result; a feature is one value of one request",
        "nunique() over the window",
    ),
    ops.PercentRank: (
        "compares rows of a result; a feature is one value of one request",
        "count(where=) / count()",
    ),
    ops.CumeDist: (
        "compares rows of a result; a feature is one value of one request",
        "count(where=) / count()",
    ),
    ops.NTile: (
        "compares rows of a result; a feature is one value of one request",
        "quantile() over the window",
    ),
    ops.CountDistinctStar: ("counts whole rows", "nunique() of a column"),
}


def call_of(func: ops.Value, write: Write) -> str:
    """Return an aggregate as a call, with its FILTER.

    Parameters
    ----------
    func
        A reduction or analytic function of Ibis.
    write
        Writes its arguments.

    Raises
    ------
    DefinitionError
        It has no online form.
    """
    if type(func) in _REFUSED:
        reason, hint = _REFUSED[type(func)]
        raise DefinitionError(f"{type(func).__name__}() {reason}", hint=hint)
    if isinstance(func, ops.Lag):
        return _lag(func, write)
    if isinstance(func, ops.NthValue):
        return f"nth_value({write(func.arg)}, {_whole(func.nth, 'nth() takes') + 1})"
    where = [write(func.where)] if getattr(func, "where", None) is not None else []
    call = _call(func, write, where)
    return call + (f" FILTER (WHERE {' AND '.join(f'({part})' for part in where)})" if where else "")


def _call(func: ops.Value, write: Write, where: list[str]) -> str:
    if isinstance(func, ops.CountStar):
        return "count(*)"
    if isinstance(func, ops.CountDistinct) and not isinstance(func, ops.ApproxCountDistinct):
        return f"count(DISTINCT {write(func.arg)})"
    if isinstance(func, AggUDF):
        if func.__input_type__ != InputType.BUILTIN:
            raise DefinitionError(
                f"the Python function {func.__func_name__}() has no online form here",
                hint="use @project.function",
            )
        args = [arg for arg_name, arg in zip(func.argnames, func.args, strict=True) if arg_name != "where"]
        return f"{name(func.__func_name__)}({', '.join(map(write, args))})"
    args = [
        write(arg)
        for arg_name, arg in zip(func.argnames, func.args, strict=True)
        if arg_name not in ("where", "order_by", "how") and isinstance(arg, ops.Value)
    ]
    if isinstance(func, ops.First | ops.Last) and not func.include_null:
        return f"{_function(func)}({args[0]}{_order(func, write)} IGNORE NULLS)"
    if isinstance(func, ops.ArrayCollect) and not func.include_null:
        where.append(f"{args[0]} IS NOT NULL")
    if isinstance(func, ops.Quantile) and isinstance(func.quantile, ops.Literal):
        args[1] = repr(func.quantile.value)
    distinct = "DISTINCT " if getattr(func, "distinct", False) else ""
    return f"{_function(func)}({distinct}{', '.join(args)}{_order(func, write)})"


def _function(func: ops.Value) -> str:
    if type(func) in _BY_HOW:
        sample, population = _BY_HOW[type(func)]
        return population if func.how == "pop" else sample
    if type(func) not in _FUNCTIONS:
        raise DefinitionError(
            f"{type(func).__name__}() has no online form",
            hint="name DuckDB's function with @ibis.udf.agg.builtin, or write the view as SQL",
        )
    return _FUNCTIONS[type(func)]


def _order(func: ops.Value, write: Write) -> str:
    keys = getattr(func, "order_by", ())
    if not keys:
        return ""
    written = [
        write(key.arg) + ("" if key.ascending else " DESC") + (" NULLS FIRST" if key.nulls_first else "")
        for key in keys
    ]
    return f" ORDER BY {', '.join(written)}"


def _lag(func: ops.Lag, write: Write) -> str:
    offset = _whole(func.offset, "lag() goes back") if func.offset is not None else 1
    default = f", {write(func.default)}" if func.default is not None else ""
    return f"lag({write(func.arg)}, {offset}{default})"


def _whole(value: ops.Value, what: str) -> int:
    if isinstance(value, ops.Cast):
        value = value.arg
    if not isinstance(value, ops.Literal) or not value.dtype.is_integer() or value.value < 0:
        raise DefinitionError(f"{what} a constant whole number >= 0", hint="such as t.x.lag(1)")
    return int(value.value)
