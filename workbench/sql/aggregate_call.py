"""The call that stands before OVER: its arguments, DISTINCT, ORDER BY, FILTER, IGNORE NULLS and WITHIN GROUP."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlglot import exp
from sqlglot.expressions.core import Expr as Node

from workbench.sql.binding import Binding

#: Aggregates that are the list of their rows.
LISTS = frozenset({"list", "array_agg"})
#: Quantiles by each of their names, and DuckDB's name of them.
QUANTILES = {
    "quantile_cont": "quantile_cont",
    "quantile_disc": "quantile_disc",
    "quantile": "quantile_disc",
    "percentile_cont": "quantile_cont",
    "percentile_disc": "quantile_disc",
}
#: Window functions that a value of one row is picked with, and where IGNORE NULLS may stand.
_PICKS = frozenset(
    {"first_value", "last_value", "nth_value", "lag", "at", "first", "last", "any_value", "lead"}
)
_TEXTS = frozenset({"string_agg", "group_concat", "listagg"})


@dataclass
class AggregateCall:
    """``function([DISTINCT] items [ORDER BY order]) [FILTER (WHERE where)]`` as the query says it."""

    node: exp.Anonymous
    items: list[Node]
    distinct: bool = False
    order: list[exp.Ordered] = field(default_factory=list)
    where: Node | None = None
    ignore_nulls: bool = False

    @property
    def name(self) -> str:
        """The function's name, folded."""
        return str(self.node.name.casefold())

    @property
    def written(self) -> str:
        """The call as the query says it, in one line."""
        where = f" where {self.where.sql('duckdb')}" if self.where is not None else ""
        return f"{self.node.sql('duckdb', normalize_functions=False)}{where}"


def aggregate_call(binding: Binding, node: Node) -> AggregateCall:
    """Return the call that stands before OVER.

    Raises
    ------
    DefinitionError
        Where it is no call of a function, or says something that the function does not have.
    """
    where, nulls, within = None, None, None
    while isinstance(node, exp.Filter | exp.IgnoreNulls | exp.RespectNulls | exp.WithinGroup):
        if isinstance(node, exp.Filter):
            where = node.expression.this
        elif isinstance(node, exp.WithinGroup):
            within = node
        else:
            nulls = node
        node = node.this
    if not isinstance(node, exp.Anonymous):
        binding.fail(node, "only a function can be computed OVER a window")
    call = AggregateCall(node, list(node.expressions), where=where)
    if call.items:
        nulls = _unwrap(call) or nulls
    if nulls is not None:
        if call.name not in _PICKS:
            binding.fail(
                nulls if nulls.this is not node else node,
                f"IGNORE NULLS and RESPECT NULLS belong to first_value, last_value, nth_value and lag, not "
                f"to {call.name}()",
                "use FILTER (WHERE x IS NOT NULL)",
            )
        call.ignore_nulls = isinstance(nulls, exp.IgnoreNulls)
    return call if within is None else _within_group(binding, call, within)


def _unwrap(call: AggregateCall) -> exp.IgnoreNulls | exp.RespectNulls | None:
    """Take DISTINCT, ORDER BY and IGNORE NULLS from the arguments, where the parser wraps one of them in each."""
    nulls = None
    last = call.items[-1]
    if isinstance(last, exp.IgnoreNulls | exp.RespectNulls):
        nulls, last = last, last.this
    if isinstance(last, exp.Order):
        call.order, last = list(last.expressions), last.this
    call.items[-1] = last
    if isinstance(call.items[0], exp.Distinct):
        call.distinct = True
        call.items = [*call.items[0].expressions, *call.items[1:]]
    return nulls


def _within_group(binding: Binding, call: AggregateCall, within: exp.WithinGroup) -> AggregateCall:
    """``quantile_cont(0.5) WITHIN GROUP (ORDER BY x)`` and the like, as the call with x as its argument."""
    keys = list(within.expression.expressions)
    if call.name in _TEXTS or call.name in LISTS:
        call.order = keys
        return call
    if call.name != "mode" and call.name not in QUANTILES:
        binding.fail(
            call.node,
            f"WITHIN GROUP is not available with {call.name}()",
            "it belongs to quantile_cont, quantile_disc, mode, string_agg and list",
        )
    if len(keys) != 1:
        binding.fail(keys[1], "WITHIN GROUP is ordered by one value", "ORDER BY the value itself")
    descending = bool(keys[0].args.get("desc"))
    if call.name == "mode":
        call.items = [keys[0].this]
        return call
    name = QUANTILES[call.name]
    if len(call.items) != 1:
        binding.fail(
            call.node, f"{call.name}() takes one fraction", "quantile_cont(0.5) WITHIN GROUP (ORDER BY x)"
        )
    fraction = call.items[0]
    if descending:
        # DuckDB counts a negative fraction from the greatest value.
        fraction = exp.Neg(this=exp.Paren(this=fraction.copy()))
        fraction.meta.update(call.items[0].meta)
    renamed = exp.Anonymous(this=name, expressions=[])
    renamed.meta.update(call.node.meta)
    return replace(call, node=renamed, items=[keys[0].this, fraction])
