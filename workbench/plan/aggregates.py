"""How an aggregate of a plan is called in SQL, with its frame as a FILTER or as a window."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from workbench.plan.expr import Literal
from workbench.plan.model import Aggregate, SortKey
from workbench.plan.render import call_name, plan_sql

#: Aggregates whose value does not depend on the order of their input (beyond the last bits of a float sum).
#: All others are fed in (order, seq), oldest first, so that both sides give the same value.
ORDER_FREE = frozenset(
    {
        "count",
        "count_star",
        "count_if",
        "countif",
        "sum",
        "sum_no_overflow",
        "fsum",
        "sumkahan",
        "kahan_sum",
        "avg",
        "mean",
        "favg",
        "min",
        "max",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "variance",
        "var_pop",
        "var_samp",
        "median",
        "quantile",
        "quantile_cont",
        "quantile_disc",
        "mad",
        "bool_and",
        "bool_or",
        "bit_and",
        "bit_or",
        "bit_xor",
        "approx_count_distinct",
        "corr",
        "covar_pop",
        "covar_samp",
        "entropy",
        "kurtosis",
        "kurtosis_pop",
        "skewness",
        "sem",
        "product",
        "geometric_mean",
        "geomean",
        "regr_count",
        "regr_avgx",
        "regr_avgy",
        "regr_slope",
        "regr_intercept",
        "regr_r2",
        "regr_sxx",
        "regr_sxy",
        "regr_syy",
    }
)

_LISTS = frozenset({"list", "array_agg"})
_ELEMENTS = {"first": 1, "last": -1}


#: Types of which DuckDB's lists tell the same values apart as ``count(DISTINCT)`` does.
_PLAIN = frozenset({"VARCHAR", "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DATE", "TIMESTAMP"})


def aggregate_call(
    aggregate: Aggregate, conditions: Sequence[str], oldest_first: str, few: bool = False
) -> str:
    """Return the aggregate of the rows that satisfy the conditions, cast where the plan says so.

    Order-free functions ignore NULL, so theirs is ``function(CASE WHEN conditions THEN arg END)``. That takes half the
    time of FILTER, for which DuckDB gathers the rows anew for every aggregate.

    Parameters
    ----------
    aggregate
        The aggregate.
    conditions
        What a row must satisfy to be in the frame.
    oldest_first
        ORDER BY text for order-dependent functions; empty where the rows come in order anyway.
    few
        The rows are so few that a list of them costs less than the hash table of a DISTINCT.
    """
    where = list(conditions)
    if aggregate.where is not None:
        where.append(plan_sql(aggregate.where))
    condition = " AND ".join(where)
    if aggregate.function not in ORDER_FREE:
        return cast_sql(aggregate, f"{_call(aggregate, oldest_first)} FILTER (WHERE {condition})")
    return cast_sql(aggregate, _conditional(aggregate, condition, few))


def _conditional(aggregate: Aggregate, condition: str, few: bool) -> str:
    if aggregate.function == "count_star":
        return f"count(CASE WHEN {condition} THEN 1 END)"
    first, *rest = aggregate.args
    args = ", ".join([f"CASE WHEN {condition} THEN {plan_sql(first)} END", *map(plan_sql, rest)])
    if few and aggregate.distinct and aggregate.function == "count" and not rest and first.type in _PLAIN:
        return f"CAST(coalesce(list_unique(list({args})), 0) AS BIGINT)"
    distinct = "DISTINCT " if aggregate.distinct else ""
    return f"{call_name(aggregate.function)}({distinct}{args})"


def window_call(aggregate: Aggregate, over: str) -> str:
    """Return ``function(args) [FILTER (...)] OVER (...)``, cast where the plan says so.

    DuckDB's window operator breaks ties of order-dependent functions in its own way. Those of one column are computed
    from the list of the rows, which it does keep in order; others are told to go by position, ``r.__q``.
    """
    where = f" FILTER (WHERE {plan_sql(aggregate.where)})" if aggregate.where is not None else ""
    if aggregate.function == "count_star" and aggregate.where is not None:
        # not count(*) FILTER (...): DuckDB's window operator walks each frame for it
        return cast_sql(aggregate, f"count(CASE WHEN {plan_sql(aggregate.where)} THEN 1 END) OVER ({over})")
    if aggregate.function in ORDER_FREE:
        return cast_sql(aggregate, f"{_call(aggregate, '')}{where} OVER ({over})")
    if aggregate.order or not all(isinstance(arg, Literal) for arg in aggregate.args[1:]):
        if aggregate.function in _ELEMENTS and where:
            # window functions of their own in DuckDB, which take no FILTER
            rows = msgspec.structs.replace(aggregate, function="list", cast=False)
            return f"({_call(rows, 'r.__q')}{where} OVER ({over}))[{_ELEMENTS[aggregate.function]}]"
        return cast_sql(aggregate, f"{_call(aggregate, 'r.__q')}{where} OVER ({over})")
    if aggregate.function in _ELEMENTS and not where:
        return f"{aggregate.function}_value({plan_sql(aggregate.args[0])}) OVER ({over})"
    values = f"list({plan_sql(aggregate.args[0])}){where} OVER ({over})"
    if aggregate.function in _LISTS:
        return values
    if aggregate.function in _ELEMENTS:
        return f"({values})[{_ELEMENTS[aggregate.function]}]"
    rest = "".join(f", {plan_sql(arg)}" for arg in aggregate.args[1:])
    return f"list_aggregate({values}, '{aggregate.function}'{rest})"


def cast_sql(aggregate: Aggregate, sql: str) -> str:
    """Return ``sql`` cast to the aggregate's type where the plan says so."""
    return f"CAST({sql} AS {aggregate.type})" if aggregate.cast else sql


def sort_sql(key: SortKey, value: str) -> str:
    """Return one value of an ORDER BY with its direction."""
    return f"{value}{' DESC' if key.descending else ''}{' NULLS FIRST' if key.nulls_first else ' NULLS LAST'}"


def _call(aggregate: Aggregate, oldest_first: str) -> str:
    """The call, its rows in the aggregate's own order and then ``oldest_first``."""
    if aggregate.function == "count_star":
        return "count(*)"
    args = ", ".join(plan_sql(arg) for arg in aggregate.args)
    distinct = "DISTINCT " if aggregate.distinct else ""
    keys = [sort_sql(key, plan_sql(key.value)) for key in aggregate.order]
    constant = not keys and all(isinstance(arg, Literal) for arg in aggregate.args)
    if oldest_first and not constant:
        keys.append(oldest_first)
    order = f" ORDER BY {', '.join(keys)}" if keys and aggregate.function not in ORDER_FREE else ""
    return f"{call_name(aggregate.function)}({distinct}{args}{order})"
