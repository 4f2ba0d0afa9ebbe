"""What aggregates mean, in plain Python: a list of argument tuples, oldest first, to a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any


def _firsts(inputs: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [values[0] for values in inputs if values[0] is not None]


def _sum(inputs: list[tuple[Any, ...]]) -> Any:
    values = _firsts(inputs)
    if not values:
        return None
    return math.fsum(values) if isinstance(values[0], float) else sum(values[1:], start=values[0])


def _mean(values: list[Any]) -> float:
    return math.fsum(float(v) for v in values) / len(values)


def _variance(inputs: list[tuple[Any, ...]], lost: int) -> float | None:
    values = [float(v) for v in _firsts(inputs)]
    if len(values) <= lost:
        return None
    mean = _mean(values)
    return math.fsum((v - mean) ** 2 for v in values) / (len(values) - lost)


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(value)


def _quantile(values: list[Any], fraction: float) -> float | None:
    ordered = sorted(float(v) for v in values)
    if not ordered:
        return None
    place = fraction * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _mode(inputs: list[tuple[Any, ...]]) -> Any:
    """The most frequent value; of several, the one seen first."""
    counts: dict[Any, int] = {}
    for value in _firsts(inputs):
        counts[value] = counts.get(value, 0) + 1
    return max(counts, key=lambda value: counts[value], default=None)


def _arg_best(inputs: list[tuple[Any, ...]], better: Callable[[Any, Any], bool]) -> Any:
    """The argument at the best value; rows where either is NULL do not count; of several, the first."""
    best: tuple[Any, ...] | None = None
    for candidate in inputs:
        if None not in candidate and (best is None or better(candidate[1], best[1])):
            best = candidate
    return best[0] if best else None


AGGREGATES: dict[str, Callable[[list[tuple[Any, ...]]], Any]] = {
    "count": lambda inputs: len([1 for values in inputs if not values or values[0] is not None]),
    "sum": _sum,
    "avg": lambda inputs: _mean(values) if (values := _firsts(inputs)) else None,
    "min": lambda inputs: min(_firsts(inputs), default=None),
    "max": lambda inputs: max(_firsts(inputs), default=None),
    "stddev_pop": lambda inputs: _root(_variance(inputs, 0)),
    "stddev_samp": lambda inputs: _root(_variance(inputs, 1)),
    "var_pop": lambda inputs: _variance(inputs, 0),
    "var_samp": lambda inputs: _variance(inputs, 1),
    "median": lambda inputs: _quantile(_firsts(inputs), 0.5),
    "quantile_cont": lambda inputs: _quantile(_firsts(inputs), inputs[0][1]) if inputs else None,
    "list": lambda inputs: [values[0] for values in inputs] or None,
    "string_agg": lambda inputs: inputs[0][1].join(values) if (values := _firsts(inputs)) else None,
    "first_value": lambda inputs: inputs[0][0] if inputs else None,
    "last_value": lambda inputs: inputs[-1][0] if inputs else None,
    "nth_value": lambda inputs: (
        inputs[inputs[0][1] - 1][0] if inputs and len(inputs) >= inputs[0][1] else None
    ),
    "first": lambda inputs: inputs[0][0] if inputs else None,
    "last": lambda inputs: inputs[-1][0] if inputs else None,
    "any_value": lambda inputs: next(iter(_firsts(inputs)), None),
    "bool_or": lambda inputs: any(values) if (values := _firsts(inputs)) else None,
    "bool_and": lambda inputs: all(values) if (values := _firsts(inputs)) else None,
    "mode": _mode,
    "arg_max": lambda inputs: _arg_best(inputs, lambda a, b: a > b),
    "arg_min": lambda inputs: _arg_best(inputs, lambda a, b: a < b),
}
