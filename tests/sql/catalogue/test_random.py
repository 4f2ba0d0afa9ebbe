"""The catalogue's aggregates over random rows against plain Python, offline and as requests."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

import workbench

Row: TypeAlias = dict[str, Any]
#: Given the window's rows, oldest first, and the anchor row.
Expected: TypeAlias = Callable[[list[Row], Row], Any]

SEED = 31
COLUMNS = {
    "id": "BIGINT",
    "k": "VARCHAR",
    "ts": "TIMESTAMP",
    "x": "DOUBLE",
    "i": "BIGINT",
    "s": "VARCHAR",
    "b": "BOOLEAN",
    "tags": "VARCHAR",
}
HOUR = 3600.0


def _draw(seed: int, count: int) -> list[Row]:
    draw = random.Random(seed)
    start = dt.datetime(2024, 2, 28)
    rows = []
    for number in range(count):
        pairs = [f"{draw.choice('abc')}:{draw.randint(1, 3)}" for _ in range(draw.randint(0, 3))]
        rows.append(
            {
                "id": number,
                "k": draw.choice(["a", "a", "b", None]),
                "ts": start + dt.timedelta(minutes=15 * (number // 2 + draw.randint(0, 3))),
                "x": draw.choice([None, 0.0, 1.5, 2.25, 7.0, 100.0, 33.3]),
                "i": draw.choice([None, -3, 0, 1, 2, 5]),
                "s": draw.choice([None, "", "b", "a", "Ä"]),
                "b": draw.choice([None, True, False, True]),
                "tags": draw.choice([None, ",".join([*pairs, "loose"]), ",".join(pairs)]),
            }
        )
    return rows


MORE = _draw(SEED + 1, 25)

# -- plain Python


def values(rows: list[Row], name: str) -> list[Any]:
    return [row[name] for row in rows if row[name] is not None]


def seconds(anchor: Row, row: Row) -> float:
    found: float = (anchor["ts"] - row["ts"]).total_seconds()
    return found


def groups(
    rows: list[Row], value: str, key: str, where: Callable[[Row], Any] = lambda row: True
) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for row in rows:
        if where(row) and row[value] is not None and row[key] is not None:
            found.setdefault(row[key], []).append(row[value])
    return dict(sorted(found.items(), key=lambda pair: str(pair[0]).encode()))


AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "sum": math.fsum,
    "count": len,
    "avg": statistics.fmean,
    "min": min,
    "max": max,
}


def written(value: Any) -> str:
    return f"{value:f}" if isinstance(value, float) else str(value)


def pairs_text(found: dict[Any, Any]) -> str:
    return ",".join(f"{key}:{written(value)}" for key, value in found.items())


def aggregated(name: str, found: dict[Any, list[Any]]) -> dict[Any, Any]:
    return {key: AGGREGATES[name](of) for key, of in found.items()}


def frequent(rows: list[Row], name: str) -> list[Any]:
    counts = Counter(values(rows, name))
    return sorted(counts, key=lambda value: (-counts[value], _byte_order(value)))


def _byte_order(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def decay(anchor: Row, row: Row, half_life: float) -> float:
    return float(0.5 ** (seconds(anchor, row) / half_life))


def gaps(rows: list[Row]) -> list[float]:
    return [(b["ts"] - a["ts"]).total_seconds() for a, b in itertools.pairwise(rows)]


def slope(rows: list[Row]) -> float | None:
    points = [(seconds(rows[-1], row), row["x"]) for row in rows if row["x"] is not None]
    if not points or len({t for t, _ in points}) < 2:
        return None
    mt, mx = statistics.fmean(t for t, _ in points), statistics.fmean(x for _, x in points)
    return -sum((t - mt) * (x - mx) for t, x in points) / sum((t - mt) ** 2 for t, _ in points)


def weighted(of: list[float], alpha: float) -> float | None:
    weights = [(1 - alpha) ** place for place in range(len(of))]
    return sum(w * x for w, x in zip(weights, reversed(of), strict=True)) / sum(weights) if of else None


def fall(of: list[float]) -> float | None:
    peak, deepest = 0.0, 0.0
    for value in of:
        peak = max(peak, value)
        deepest = max(deepest, (peak - value) / peak if peak else 0.0)
    return deepest if of else None


def run(rows: list[Row], holds: Callable[[Row], Any]) -> int:
    count = 0
    for row in reversed(rows):
        if not holds(row):
            break
        count += 1
    return count


def nth(of: list[Any], n: int) -> Any:
    return of[n - 1 if n > 0 else n] if n and len(of) >= abs(n) else None


def share(part: float | None, whole: float) -> float | None:
    return part / whole if part is not None and whole else None


def spread(of: list[float]) -> float | None:
    return statistics.stdev(of) if len(of) > 1 else None


def zscore(rows: list[Row], anchor: Row) -> float | None:
    std = spread(values(rows, "x"))
    if anchor["x"] is None or not std:
        return None
    found: float = (anchor["x"] - statistics.fmean(values(rows, "x"))) / std
    return found


def split_pairs(rows: list[Row], place: int) -> list[str]:
    texts = [row["tags"] for row in reversed(rows) if row["tags"] is not None]
    return [part.split(":")[place] for text in texts for part in text.split(",") if ":" in part]


def _top_values(name: str, n: int) -> Expected:
    def expected(rows: list[Row], anchor: Row) -> str:
        found = aggregated(name, groups(rows, "x", "i", lambda row: row["b"]))
        best = sorted(found.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)[:n]
        return pairs_text(dict(best))

    return expected


def _top_keys(name: str, n: int) -> Expected:
    def expected(rows: list[Row], anchor: Row) -> str:
        found = aggregated(name, groups(rows, "x", "i", lambda row: row["b"]))
        return pairs_text(dict(sorted(found.items(), reverse=True)[:n]))

    return expected


def _ratios(rows: list[Row]) -> dict[Any, float]:
    found: dict[Any, list[bool]] = {}
    for row in rows:
        if row["x"] is not None and row["i"] is not None:
            found.setdefault(row["i"], []).append(bool(row["b"]))
    return {key: sum(flags) / len(flags) for key, flags in found.items()}


CASES: dict[str, Expected] = {
    "distinct_count(s)": lambda w, a: len(set(values(w, "s"))),
    "unique_ratio(i)": lambda w, a: share(len(set(values(w, "i"))), len(values(w, "i"))),
    "null_ratio(x)": lambda w, a: share(sum(row["x"] is None for row in w), len(w)),
    "count_where(x, b)": lambda w, a: len(values([row for row in w if row["b"]], "x")),
    "count_where(*, b)": lambda w, a: sum(bool(row["b"]) for row in w),
    "sum_where(i, b)": lambda w, a: (lambda of: sum(of) if of else None)(
        values([r for r in w if r["b"]], "i")
    ),
    "avg_where(x, i > 0)": lambda w, a: (lambda of: statistics.fmean(of) if of else None)(
        values([r for r in w if (r["i"] or 0) > 0], "x")
    ),
    "min_where(s, b)": lambda w, a: min(values([r for r in w if r["b"]], "s"), default=None, key=str.encode),
    "max_where(x, NOT b)": lambda w, a: max(values([r for r in w if r["b"] is False], "x"), default=None),
    "share_where(b)": lambda w, a: share(sum(bool(row["b"]) for row in w), len(w)),
    "count_by_value(i)": lambda w, a: dict(sorted(Counter(values(w, "i")).items())) or None,
    **{
        f"{name}_by_key(x, s)": lambda w, a, name=name: aggregated(name, groups(w, "x", "s")) or None
        for name in AGGREGATES
    },
    "sum_by_key(i, s)": lambda w, a: {key: sum(of) for key, of in groups(w, "i", "s").items()} or None,
    **{
        f"{name}_cate(x, s)": lambda w, a, name=name: pairs_text(aggregated(name, groups(w, "x", "s")))
        for name in AGGREGATES
    },
    **{
        f"{name}_cate_where(x, b, s)": lambda w, a, name=name: pairs_text(
            aggregated(name, groups(w, "x", "s", lambda row: row["b"]))
        )
        for name in AGGREGATES
    },
    **{f"top_n_key_{name}_cate_where(x, b, i, 2)": _top_keys(name, 2) for name in AGGREGATES},
    **{f"top_n_value_{name}_cate_where(x, b, i, 2)": _top_values(name, 2) for name in AGGREGATES},
    "top_n_key_ratio_cate(x, b, i, 2)": lambda w, a: pairs_text(
        dict(sorted(_ratios(w).items(), reverse=True)[:2])
    ),
    "top_n_value_ratio_cate(x, b, i, 2)": lambda w, a: pairs_text(
        dict(sorted(_ratios(w).items(), key=lambda pair: (pair[1], pair[0]), reverse=True)[:2])
    ),
    "most_frequent(s, 2)": lambda w, a: frequent(w, "s")[:2] or None,
    "mode_share(i)": lambda w, a: share(
        max(Counter(values(w, "i")).values(), default=0), len(values(w, "i"))
    ),
    "top1_ratio(i)": lambda w, a: (
        share(max(Counter(values(w, "i")).values(), default=0), len(values(w, "i"))) or 0
    ),
    "top(x, 3)": lambda w, a: ",".join(written(v) for v in sorted(values(w, "x"), reverse=True)[:3]),
    "topn_frequency(i, 3)": lambda w, a: (
        ",".join([written(v) for v in frequent(w, "i")[:3]] + ["NULL"] * (3 - len(frequent(w, "i")[:3])))
        if w
        else ""
    ),
    "nth_value_where(x, 2, b)": lambda w, a: nth([r["x"] for r in w if r["b"]], 2),
    "nth_value_where(x, -1, i > 0)": lambda w, a: nth([r["x"] for r in w if (r["i"] or 0) > 0], -1),
    "nth_value_where(x, 0, b)": lambda w, a: None,
    "delta(x)": lambda w, a: (lambda of: of[-1] - of[-2] if len(of) > 1 else None)(values(w, "x")),
    "delta_ratio(x)": lambda w, a: (
        lambda of: (of[-1] - of[-2]) / of[-2] if len(of) > 1 and of[-2] else None
    )(values(w, "x")),
    "streak(b)": lambda w, a: run(w, lambda row: row["b"]),
    "streak(x > 1)": lambda w, a: run(w, lambda row: (row["x"] or 0) > 1),
    "decayed_sum(x, INTERVAL 1 HOUR)": lambda w, a: (
        sum(row["x"] * decay(a, row, HOUR) for row in w if row["x"] is not None) if values(w, "x") else None
    ),
    "decayed_count(INTERVAL 90 MINUTES)": lambda w, a: sum(decay(a, row, 1.5 * HOUR) for row in w),
    "decayed_avg(x, INTERVAL 1 HOUR)": lambda w, a: share(
        sum(row["x"] * decay(a, row, HOUR) for row in w if row["x"] is not None),
        sum(decay(a, row, HOUR) for row in w if row["x"] is not None),
    ),
    "gap_avg()": lambda w, a: statistics.fmean(gaps(w)) if len(w) > 1 else None,
    "gap_min()": lambda w, a: min(gaps(w), default=None),
    "gap_max() FILTER (WHERE b)": lambda w, a: max(gaps([row for row in w if row["b"]]), default=None),
    "gap_std()": lambda w, a: spread(gaps(w)),
    "session_count(INTERVAL 15 MINUTES)": lambda w, a: sum(g > 900 for g in gaps(w)) + bool(w),
    "seconds_since_last()": lambda w, a: seconds(a, w[-1]) if w else None,
    "seconds_since_first(b)": lambda w, a: next((seconds(a, row) for row in w if row["b"]), None),
    "cv(x)": lambda w, a: share(spread(values(w, "x")), statistics.fmean(values(w, "x") or [0])),
    "slope(x)": lambda w, a: slope(w) if w else None,
    "ew_avg(x, 0.3)": lambda w, a: weighted(values(w, "x"), 0.3),
    "ew_avg(x, 0)": lambda w, a: statistics.fmean(values(w, "x")) if values(w, "x") else None,
    "ew_avg(x, NULL)": lambda w, a: statistics.fmean(values(w, "x")) if values(w, "x") else None,
    "drawdown(x)": lambda w, a: fall(values(w, "x")),
    "std(x)": lambda w, a: spread(values(w, "x")),
    "window_split(tags, ',')": lambda w, a: [
        part for row in reversed(w) if row["tags"] is not None for part in row["tags"].split(",")
    ],
    "window_split_by_key(tags, ',', ':')": lambda w, a: split_pairs(w, 0),
    "window_split_by_value(tags, ',', ':')": lambda w, a: split_pairs(w, 1),
}
#: What compares the anchor row with its history, and so needs a window of it.
OWN: dict[str, Expected] = {
    "zscore(x)": zscore,
    "ratio_to_window(x)": lambda w, a: share(a["x"], math.fsum(values(w, "x"))) if values(w, "x") else None,
    "percentile_rank(x)": lambda w, a: (
        None
        if a["x"] is None or not values(w, "x")
        else sum(x <= a["x"] for x in values(w, "x")) / len(values(w, "x"))
    ),
}
BODIES: dict[str, tuple[str, Callable[[list[Row], Row], list[Row]]]] = {
    "rows": (
        "PARTITION BY k ORDER BY ts ROWS BETWEEN 5 PRECEDING AND CURRENT ROW",
        lambda before, row: [*before, row][-6:],
    ),
    "range": (
        "PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL 2 HOURS PRECEDING AND CURRENT ROW EXCLUDE CURRENT_ROW",
        lambda before, row: [x for x in before if seconds(row, x) <= 7200],
    ),
    "joined": (
        "PARTITION BY k ORDER BY ts ROWS BETWEEN 5 PRECEDING AND CURRENT ROW EXCLUDE CURRENT_TIME",
        lambda before, row: [*(x for x in before if x["ts"] < row["ts"]), row][-6:],
    ),
    "union": (
        "UNION more PARTITION BY k ORDER BY ts ROWS BETWEEN 5 PRECEDING AND CURRENT ROW",
        lambda before, row: [*_merged(before, row), row][-6:],
    ),
    "other": (
        "FROM events PARTITION BY k ORDER BY ts MAXSIZE 4",
        lambda before, row: [x for x in before if row["k"] is not None][-4:],
    ),
}


def _merged(before: list[Row], row: Row) -> list[Row]:
    """With the rows of the other table, which stand behind the own rows of their time."""
    seen = [x for x in MORE if x["k"] == row["k"] and x["ts"] <= row["ts"]]
    own = [(x["ts"], 1, x["id"], x) for x in before]
    return [
        x for *_, x in sorted([*own, *((x["ts"], 0, x["id"], x) for x in seen)], key=lambda item: item[:3])
    ]


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    print(f"seed {SEED}")
    return _draw(SEED, 60)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> Any:
    opened = workbench.open(tmp_path_factory.mktemp("random") / "project")
    opened.create_table("events", COLUMNS, time="ts")
    opened.table("events").append(rows)
    opened.create_table("more", COLUMNS, time="ts")
    opened.table("more").append(MORE)
    return opened


def _before(rows: list[Row], row: Row, stored: bool) -> list[Row]:
    """The rows that a row sees, oldest first: earlier ones, and those of its time that arrived before it."""
    seen = [
        x
        for x in rows
        if x["k"] == row["k"]
        and (x["ts"] < row["ts"] or (x["ts"] == row["ts"] and (not stored or x["id"] < row["id"])))
    ]
    return sorted(seen, key=lambda x: (x["ts"], x["id"]))


@pytest.mark.parametrize("body", BODIES)
def test_aggregates(project: Any, rows: list[Row], body: str) -> None:
    text, choose = BODIES[body]
    cases = CASES if body == "other" else {**CASES, **OWN}
    outputs = ", ".join(f"{_over(case)} AS f{number}" for number, case in enumerate(cases))
    view = project.define("a", f"SELECT id, {outputs} FROM events WINDOW w AS ({text})")
    got = {row["id"]: row for row in view.offline().to_pyarrow().to_pylist()}
    for row in rows:
        window = choose(_before(rows, row, stored=True), row)
        for number, (case, expected) in enumerate(cases.items()):
            wanted = expected(window, row)
            assert _same(got[row["id"]][f"f{number}"], wanted), (
                case,
                row["id"],
                got[row["id"]][f"f{number}"],
                wanted,
            )
    for row in random.Random(SEED).sample(rows, 12):
        asked = {**row, "id": 1000 + row["id"], "x": 4.5}
        window = choose(_before(rows, asked, stored=False), asked)
        answer = view.request(asked)
        for number, (case, expected) in enumerate(cases.items()):
            wanted = expected(window, asked)
            assert _same(answer[f"f{number}"], wanted), (case, asked, answer[f"f{number}"], wanted)


def _over(case: str) -> str:
    return f"{case} OVER w"


def _same(found: Any, wanted: Any) -> bool:
    if isinstance(found, list) and found and isinstance(found[0], tuple):
        found = dict(found)
    if wanted == [] and found is None:
        return True  # no texts in the window: NULL
    if isinstance(wanted, float) and found is not None:
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9)
    if isinstance(wanted, dict) and isinstance(found, dict):
        return list(found) == list(wanted) and all(_same(found[key], wanted[key]) for key in wanted)
    return bool(found == wanted)
