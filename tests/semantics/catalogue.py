"""What the language's own aggregates mean, in plain Python, and how calls of them are drawn."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Fed:
    """What an aggregate is fed, oldest first: argument tuples and times; and the anchor's time and arguments."""

    rows: list[tuple[Any, ...]]
    times: list[Any]
    now: Any
    anchor: tuple[Any, ...]

    def known(self) -> list[Any]:
        """Values that are not NULL."""
        return [row[0] for row in self.rows if row[0] is not None]

    def constant(self, place: int) -> Any:
        """An argument that is the same for every row."""
        return self.anchor[place]


def _where(name: str) -> Callable[[Fed], Any]:
    def value(fed: Fed) -> Any:
        return _summary(name, [x for x, condition in fed.rows if condition and x is not None])

    return value


def _summary(name: str, values: list[Any]) -> Any:
    if name == "count":
        return len(values)
    if not values:
        return None
    made: dict[str, Callable[[list[Any]], Any]] = {
        "sum": lambda found: math.fsum(found) if isinstance(found[0], float) else sum(found),
        "avg": lambda found: math.fsum(found) / len(found),
        "min": min,
        "max": max,
    }
    return made[name](values)


# ---- by key


def _by_key(name: str, pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    """A summary for each key, keys ascending; pairs of (value, key) with a NULL do not count."""
    groups: dict[Any, list[Any]] = {}
    for value, key in pairs:
        if value is not None and key is not None:
            groups.setdefault(key, []).append(value)
    return {key: _summary(name, groups[key]) for key in sorted(groups)}


def _text(value: Any) -> str:
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _joined(pairs: list[tuple[Any, Any]]) -> str:
    return ",".join(f"{_text(key)}:{_text(value)}" for key, value in pairs)


def _as_map(name: str) -> Callable[[Fed], Any]:
    return lambda fed: list(_by_key(name, [(x, key) for x, key in fed.rows]).items()) or None


def _cate(name: str) -> Callable[[Fed], Any]:
    return lambda fed: _joined(list(_by_key(name, [(x, key) for x, key in fed.rows]).items()))


def _cate_where(name: str) -> Callable[[Fed], Any]:
    return lambda fed: _joined(list(_by_key(name, [(x, key) for x, c, key in fed.rows if c]).items()))


def _top_key(name: str) -> Callable[[Fed], Any]:
    def value(fed: Fed) -> str:
        found = _by_key(name, [(x, key) for x, c, key, _ in fed.rows if c])
        return _joined(list(found.items())[::-1][: fed.constant(3)])

    return value


def _top_value(name: str) -> Callable[[Fed], Any]:
    def value(fed: Fed) -> str:
        found = _by_key(name, [(x, key) for x, c, key, _ in fed.rows if c])
        return _joined(_greatest_first(found)[: fed.constant(3)])

    return value


def _greatest_first(found: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return sorted(found.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)


def _shares(fed: Fed) -> dict[Any, float]:
    found: dict[Any, list[bool]] = {}
    for x, condition, key, _ in fed.rows:
        if x is not None and key is not None:
            found.setdefault(key, []).append(condition is True)
    return {key: sum(found[key]) / len(found[key]) for key in sorted(found)}


# ---- frequencies


def _frequencies(values: list[Any]) -> list[tuple[Any, int]]:
    """The most frequent first, the smaller among equally frequent ones."""
    return sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))


def _topn_frequency(fed: Fed) -> str:
    found, n = [_text(value) for value, _ in _frequencies(fed.known())], fed.constant(1)
    return ",".join((found + ["NULL"] * n)[:n]) if fed.rows else ""


def _mode_share(fed: Fed) -> float | None:
    known = fed.known()
    return _frequencies(known)[0][1] / len(known) if known else None


def _entropy(fed: Fed) -> float:
    known = fed.known()
    counts = Counter(known).values()
    return abs(math.fsum(n / len(known) * math.log2(n / len(known)) for n in counts)) if known else 0.0


# ---- order and time


def _nth_where(fed: Fed) -> Any:
    found, n = [x for x, _, condition in fed.rows if condition], fed.constant(1)
    if n == 0 or abs(n) > len(found):
        return None
    return found[n - 1] if n > 0 else found[n]


def _delta(fed: Fed) -> Any:
    known = fed.known()
    return known[-1] - known[-2] if len(known) > 1 else None


def _streak(fed: Fed) -> int:
    count = 0
    for (condition,) in reversed(fed.rows):
        if not condition:
            break
        count += 1
    return count


def _weights(fed: Fed, half_life: timedelta) -> list[float]:
    return [0.5 ** ((fed.now - time) / half_life) for time in fed.times]


def _decayed_sum(fed: Fed) -> float | None:
    weighed = zip(fed.rows, _weights(fed, fed.constant(1)), strict=True)
    found = [row[0] * weight for row, weight in weighed if row[0] is not None]
    return math.fsum(found) if found else None


def _decayed_avg(fed: Fed) -> float | None:
    total = _decayed_sum(fed)
    weights = zip(fed.rows, _weights(fed, fed.constant(1)), strict=True)
    return None if total is None else total / math.fsum(w for row, w in weights if row[0] is not None)


def _gaps(fed: Fed) -> list[float]:
    return [(later - earlier) / SECOND for earlier, later in pairwise(fed.times)]


def _sessions(fed: Fed) -> int:
    gaps = [later - earlier for earlier, later in pairwise(fed.times)]
    return 1 + sum(gap > fed.constant(0) for gap in gaps) if fed.times else 0


def _since(place: int) -> Callable[[Fed], Any]:
    def value(fed: Fed) -> float | None:
        times = [time for row, time in zip(fed.rows, fed.times, strict=True) if not row or row[0]]
        return (fed.now - times[place]) / SECOND if times else None

    return value


def _spread(values: list[Any]) -> float | None:
    """The standard deviation of a sample."""
    if len(values) < 2:
        return None
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _ratio_to_window(fed: Fed) -> float | None:
    total = math.fsum(fed.known())
    return fed.anchor[0] / total if fed.anchor[0] is not None and fed.known() and total else None


def _percentile_rank(fed: Fed) -> float | None:
    known, mine = fed.known(), fed.anchor[0]
    return sum(value <= mine for value in known) / len(known) if known and mine is not None else None


def _ew_avg(fed: Fed) -> float | None:
    known, alpha = fed.known()[::-1], float(fed.constant(1))
    weights = [(1 - alpha) ** n for n in range(len(known))]
    return (
        math.fsum(x * w for x, w in zip(known, weights, strict=True)) / math.fsum(weights) if known else None
    )


_NAMES = ("sum", "count", "avg", "min", "max")
CATALOGUE: dict[str, Callable[[Fed], Any]] = {
    "distinct_count": lambda fed: len(set(fed.known())),
    "unique_ratio": lambda fed: len(set(fed.known())) / len(fed.known()) if fed.known() else None,
    "null_ratio": lambda fed: sum(row[0] is None for row in fed.rows) / len(fed.rows) if fed.rows else None,
    "share_where": lambda fed: sum(row[0] is True for row in fed.rows) / len(fed.rows) if fed.rows else None,
    **{f"{name}_where": _where(name) for name in _NAMES},
    **{f"{name}_by_key": _as_map(name) for name in _NAMES},
    **{f"{name}_cate": _cate(name) for name in _NAMES},
    **{f"{name}_cate_where": _cate_where(name) for name in _NAMES},
    **{f"top_n_key_{name}_cate_where": _top_key(name) for name in _NAMES},
    **{f"top_n_value_{name}_cate_where": _top_value(name) for name in _NAMES},
    "top_n_key_ratio_cate": lambda fed: _joined(list(_shares(fed).items())[::-1][: fed.constant(3)]),
    "top_n_value_ratio_cate": lambda fed: _joined(_greatest_first(_shares(fed))[: fed.constant(3)]),
    "count_by_value": lambda fed: sorted(Counter(fed.known()).items()) or None,
    "max_n": lambda fed: sorted(fed.known(), reverse=True)[: fed.constant(1)] or None,
    "most_frequent": lambda fed: [v for v, _ in _frequencies(fed.known())][: fed.constant(1)] or None,
    "mode_share": _mode_share,
    "top": lambda fed: ",".join(map(_text, sorted(fed.known(), reverse=True)[: fed.constant(1)])),
    "topn_frequency": _topn_frequency,
    "top1_ratio": lambda fed: _mode_share(fed) or 0.0,
    "nth_value_where": _nth_where,
    "delta": _delta,
    "streak": _streak,
    "decayed_sum": _decayed_sum,
    "decayed_avg": _decayed_avg,
    "decayed_count": lambda fed: math.fsum(_weights(fed, fed.constant(0))),
    "gap_avg": lambda fed: _summary("avg", _gaps(fed)),
    "gap_min": lambda fed: _summary("min", _gaps(fed)),
    "gap_max": lambda fed: _summary("max", _gaps(fed)),
    "gap_std": lambda fed: _spread(_gaps(fed)),
    "session_count": _sessions,
    "seconds_since_last": _since(-1),
    "seconds_since_first": _since(0),
    "entropy": _entropy,
    "ratio_to_window": _ratio_to_window,
    "percentile_rank": _percentile_rank,
    "ew_avg": _ew_avg,
}

#: Result type and arguments of what is drawn. ``same`` is the result's type, ``key`` and ``any`` columns of any type.
SIGNATURES: list[tuple[str, str, tuple[str, ...]]] = [
    ("distinct_count", "BIGINT", ("any",)),
    ("count_where", "BIGINT", ("any", "condition")),
    *(
        (f"{name}_where", type_, ("same", "condition"))
        for name in ("sum", "min", "max")
        for type_ in ("BIGINT", "DOUBLE")
    ),
    *((f"{name}_where", "VARCHAR", ("same", "condition")) for name in ("min", "max")),
    ("avg_where", "DOUBLE", ("number", "condition")),
    *(
        (name, "DOUBLE", ("any",))
        for name in ("unique_ratio", "null_ratio", "mode_share", "top1_ratio", "entropy")
    ),
    ("share_where", "DOUBLE", ("condition",)),
    *((f"{name}_cate", "VARCHAR", ("number", "key")) for name in _NAMES),
    *((f"{name}_cate_where", "VARCHAR", ("number", "condition", "key")) for name in _NAMES),
    *(
        (f"top_n_{by}_{name}_cate_where", "VARCHAR", ("number", "condition", "key", "n"))
        for by in ("key", "value")
        for name in _NAMES
    ),
    ("top_n_key_ratio_cate", "VARCHAR", ("any", "condition", "key", "n")),
    ("top_n_value_ratio_cate", "VARCHAR", ("any", "condition", "key", "n")),
    *((f"{name}_by_key", "MAP", ("number", "key")) for name in _NAMES),
    ("count_by_value", "MAP", ("key",)),
    ("most_frequent", "LIST", ("key", "n")),
    ("max_n", "LIST", ("number", "n")),
    ("top", "VARCHAR", ("number", "n")),
    ("topn_frequency", "VARCHAR", ("key", "n")),
    *(
        ("nth_value_where", type_, ("same", "place", "condition"))
        for type_ in ("BIGINT", "DOUBLE", "VARCHAR")
    ),
    *(("delta", type_, ("same",)) for type_ in ("BIGINT", "DOUBLE")),
    ("streak", "BIGINT", ("condition",)),
    *((name, "DOUBLE", ("number", "interval")) for name in ("decayed_sum", "decayed_avg")),
    ("decayed_count", "DOUBLE", ("interval",)),
    *((f"gap_{name}", "DOUBLE", ()) for name in ("avg", "min", "max", "std")),
    ("session_count", "BIGINT", ("interval",)),
    *((f"seconds_since_{name}", "DOUBLE", ("condition",)) for name in ("last", "first")),
    *((name, "DOUBLE", ("number",)) for name in ("ratio_to_window", "percentile_rank")),
    ("ew_avg", "DOUBLE", ("number", "alpha")),
]
#: What reads the times of rows, and what reads the anchor's own value.
OF_TIME = {
    "decayed_sum",
    "decayed_avg",
    "decayed_count",
    "session_count",
    "seconds_since_last",
    "seconds_since_first",
}
OF_TIME |= {f"gap_{name}" for name in ("avg", "min", "max", "std")}
OF_ANCHOR = {"ratio_to_window", "percentile_rank"}
#: Names here of functions that are called otherwise in the language.
WRITTEN = {"max_n": "max"}
