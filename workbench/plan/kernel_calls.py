"""Which kernel gives the value of a DuckDB aggregate, and of what it is the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.kernels.program import refusal
from workbench.plan.expr import Expr, Literal, Op
from workbench.plan.kernel_columns import decimal_digits, is_integer
from workbench.plan.model import Aggregate
from workbench.values.lanes import lane_of as lane

#: Functions that see only values that are not NULL: a condition may make their argument NULL instead.
_IGNORES_NULL = {
    "count": "count",
    "count_if": "sum",
    "countif": "sum",
    "sum": "sum",
    "fsum": "sum",
    "sumkahan": "sum",
    "kahan_sum": "sum",
    "avg": "avg",
    "mean": "avg",
    "favg": "avg",
    "min": "min",
    "max": "max",
    "stddev": "stddev_samp",
    "stddev_samp": "stddev_samp",
    "stddev_pop": "stddev_pop",
    "variance": "var_samp",
    "var_samp": "var_samp",
    "var_pop": "var_pop",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
    "bit_and": "bit_and",
    "bit_or": "bit_or",
    "bit_xor": "bit_xor",
    "median": "median",
    "quantile_cont": "quantile_cont",
    "quantile": "quantile_disc",
    "quantile_disc": "quantile_disc",
    "any_value": "any_value",
    "arg_min": "arg_min",
    "argmin": "arg_min",
    "min_by": "arg_min",
    "arg_max": "arg_max",
    "argmax": "arg_max",
    "max_by": "arg_max",
}
_SEES_NULL = {"first": "first", "arbitrary": "first", "last": "last"}
#: Not DuckDB's: what the compiled driver makes of elements of lists.
_NUMBERED = frozenset({"nth", "nth_newest"})
_EXACT_FLOAT = frozenset({"fsum", "sumkahan", "kahan_sum", "favg"})
_SPREAD = frozenset({"stddev_samp", "stddev_pop", "var_samp", "var_pop"})
_BY_ORDER = frozenset({"arg_min", "arg_max"})
_QUANTILES = frozenset({"quantile_cont", "quantile_disc"})
_SAME_IF_DISTINCT = frozenset({"min", "max", "bool_and", "bool_or", "bit_and", "bit_or"})
#: Aggregates that a tree of partial ones answers whatever the length of the window.
TREE_OPS = frozenset({"count", "sum", "avg", "min", "max", *_SPREAD})


@dataclass(frozen=True)
class KernelCall:
    """The kernel of one aggregate: the name of its operation, what it is of, and its constants.

    ``value`` None is a count of rows. ``ignores_null``: rows that a condition leaves out may be NULL instead.
    """

    op: str
    value: Expr | None = None
    second: Expr | None = None
    n: int = 0
    q: float = 0.0
    ignores_null: bool = True


def kernel_call(aggregate: Aggregate, ahead: bool = False) -> KernelCall | str:
    """Return the kernel of an aggregate, or why there is none.

    Parameters
    ----------
    aggregate
        The aggregate.
    ahead
        Whether its window looks ahead: then what is nearest is first.
    """
    name = aggregate.function
    if aggregate.order:
        return f"{name}() with an ORDER BY of its own has no kernel"
    if name == "count_star":
        return KernelCall("count_star")
    if name in _SEES_NULL and len(aggregate.args) == 1 and not aggregate.distinct:
        op = _SEES_NULL[name]
        if ahead:
            op = "last" if op == "first" else "first"
        return _checked(KernelCall(op, aggregate.args[0], ignores_null=False), aggregate)
    if name in _NUMBERED and not ahead:
        place = aggregate.args[1]
        assert isinstance(place, Literal)
        return _checked(KernelCall(name, aggregate.args[0], n=int(place.sql), ignores_null=False), aggregate)
    if name not in _IGNORES_NULL or not aggregate.args:
        return f"{name}() has no kernel"
    op = _IGNORES_NULL[name]
    if ahead and op in ("any_value", *_BY_ORDER):
        return f"{name}() of rows ahead has no kernel"
    return _of_values(op, aggregate)


def _of_values(op: str, aggregate: Aggregate) -> KernelCall | str:
    name, args = aggregate.function, aggregate.args
    wanted = 2 if op in _BY_ORDER | _QUANTILES else 1
    if len(args) != wanted:
        return f"{name}() of {len(args)} arguments has no kernel"
    if aggregate.distinct and op not in _SAME_IF_DISTINCT:
        if op != "count" or name != "count":
            return f"{name}(DISTINCT ...) has no kernel"
        op = "distinct"
    value = args[0]
    digits = decimal_digits(value.type)
    if name in ("count_if", "countif"):
        value = _boolean(value)  # DuckDB's is a sum, NULL where there is no value that is not NULL
    elif name in _EXACT_FLOAT or (op in _SPREAD and digits is not None):
        value = _double(value)
    elif not _fits(op, value.type):
        return f"{name}() of {value.type} has no kernel"
    q = 0.0
    if op in _QUANTILES:
        share = _share(args[1])
        if share is None:
            return f"{name}() of any shares but one constant from 0 to 1 has no kernel"
        q = share
    n = digits[1] if op == "avg" and digits is not None and name not in _EXACT_FLOAT else 0
    return _checked(KernelCall(op, value, args[1] if op in _BY_ORDER else None, n, q), aggregate)


def _checked(call: KernelCall, aggregate: Aggregate) -> KernelCall | str:
    assert call.value is not None
    second = lane(call.second.type) if call.second is not None else ""
    if refusal(call.op, lane(call.value.type), second) is not None:
        of = call.second if call.second is not None and second == "o" else call.value
        return f"{aggregate.function}() of {of.type} has no kernel"
    if not _gives(call.op, call.value.type, aggregate.type):
        return f"{aggregate.function}() of {call.value.type} as {aggregate.type} has no kernel"
    return call


def _gives(op: str, kind: str, result: str) -> bool:
    """Whether what the kernel computes of values of a type is a value of the aggregate's type as it stands."""
    if op in ("count", "distinct"):
        return result in ("BIGINT", "HUGEINT")
    if op == "sum" and not (is_integer(kind) or kind == "BOOLEAN"):
        digits = decimal_digits(kind)
        return result == ("DOUBLE" if digits is None else f"DECIMAL(38,{digits[1]})")
    if op == "sum":
        return result in ("BIGINT", "HUGEINT")
    if op in ("avg", "median", "quantile_cont") or op in _SPREAD:
        return result == "DOUBLE"
    return result == kind


def _fits(op: str, kind: str) -> bool:
    """Whether a kernel computes in the way that DuckDB does for the type."""
    if op in ("sum", "avg") or op in _SPREAD:
        return is_integer(kind) or kind in ("FLOAT", "DOUBLE", "BOOLEAN") or decimal_digits(kind) is not None
    if op in ("median", "quantile_cont"):
        return is_integer(kind) or kind == "DOUBLE"
    return True


def _boolean(value: Expr) -> Expr:
    return value if value.type == "BOOLEAN" else Op("cast", (value,), "BOOLEAN")


def _double(value: Expr) -> Expr:
    return value if value.type == "DOUBLE" else Op("cast", (value,), "DOUBLE")


def _share(value: Expr) -> float | None:
    """The constant share of a quantile."""
    if isinstance(value, Op) and value.op == "cast":
        return _share(value.args[0])
    try:
        share = float(value.sql) if isinstance(value, Literal) else -1.0
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None
