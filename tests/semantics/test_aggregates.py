"""Any DuckDB aggregate OVER a window gives what plain DuckDB gives for the window's rows, fed oldest first."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import workbench

from .brute_force import Anchor, Evaluator, stored_anchor
from .compare import arrow, load, same
from .data import Data, draw_data
from .query import Aggregate, Bound, Column, Frame, Output, PartitionKey, Query, Source, Window

AGGREGATES = """
count(*)
count(x)
count(DISTINCT s)
count(DISTINCT x) FILTER (WHERE b)
count_if(x > 2)
sum(x)
sum(i)
sum(f)
sum(p)
sum(b::INTEGER)
sum(DISTINCT x)
avg(x)
avg(p)
avg(DISTINCT i)
min(s)
max(ts)
min(d)
max(b)
max(x, 3)
min(s, 2)
any_value(x)
first(x)
last(x)
first_value(s)
last_value(s)
arg_max(s, u)
arg_min(s, u)
arg_max(x, f)
arg_max_null(x, u)
max_by(s, u)
arg_max(s, u, 2)
bool_and(x > 0)
bool_or(b)
bit_and(x)
bit_or(x)
bit_xor(i)
product(i)
median(x)
median(d)
mode(s)
mode(x)
quantile_cont(f, 0.25)
quantile_disc(x, 0.5)
quantile_cont(x, [0.25, 0.75])
mad(f)
stddev(x)
stddev_pop(f)
var_samp(f)
variance(i)
skewness(f)
kurtosis(f)
kurtosis_pop(f)
entropy(s)
corr(x, f)
covar_pop(x, f)
covar_samp(x, f)
regr_slope(x, f)
regr_count(x, f)
histogram(s)
list(x)
list(s) FILTER (WHERE s IS NOT NULL)
quantile_cont(x, 1 - 0.75)
array_agg(u)
string_agg(s, '-')
list_sort(list_distinct(list(s)))
group_concat(s)
approx_count_distinct(s)
sum(x + i)
max(CASE WHEN b THEN x END)
sum(x) FILTER (WHERE x > 0 AND b)
list({'a': x, 's': s})
len(list(x))
sum(x) / nullif(count(x), 0)
coalesce(max(x), 0) - min(x)
""".strip().splitlines()

#: What brings an order of its own, and what is left of the rows where each value counts once, said in plain DuckDB over
#: the window's rows with their place ``n``, oldest first.
REWRITTEN = {
    "list(x ORDER BY s)": "list(x ORDER BY s, n)",
    "list(x ORDER BY 'same', s)": "list(x ORDER BY s, n)",
    "list(x ORDER BY s DESC, x NULLS FIRST)": "list(x ORDER BY s DESC NULLS LAST, x NULLS FIRST, n)",
    "list(x ORDER BY s DESC NULLS FIRST) FILTER (WHERE x > 1)": (
        "list(x ORDER BY s DESC NULLS FIRST, n) FILTER (WHERE x > 1)"
    ),
    "string_agg(s, '-' ORDER BY x DESC)": "string_agg(s, '-' ORDER BY x DESC NULLS LAST, n)",
    "string_agg(s, '-') WITHIN GROUP (ORDER BY x DESC)": "string_agg(s, '-' ORDER BY x DESC NULLS LAST, n)",
    "first(u ORDER BY x)": "first(u ORDER BY x, n)",
    "last_value(u ORDER BY x)": "last(u ORDER BY x, n)",
    "last(u ORDER BY x) FILTER (WHERE b)": "last(u ORDER BY x, n) FILTER (WHERE b)",
    "first_value(s ORDER BY x DESC IGNORE NULLS)": (
        "first(s ORDER BY x DESC NULLS LAST, n) FILTER (WHERE s IS NOT NULL)"
    ),
    "arg_max(u, x ORDER BY s)": "arg_max(u, x ORDER BY s, n)",
    "sum(x ORDER BY s)": "sum(x)",
    "first_value(s) IGNORE NULLS": "first(s ORDER BY n) FILTER (WHERE s IS NOT NULL)",
    "first_value(s) RESPECT NULLS": "first(s ORDER BY n)",
    "last_value(s IGNORE NULLS) FILTER (WHERE b)": "last(s ORDER BY n) FILTER (WHERE s IS NOT NULL AND b)",
    "nth_value(s, 2)": "list(s ORDER BY n)[2]",
    "nth_value(s, 2 IGNORE NULLS)": "(list(s ORDER BY n) FILTER (WHERE s IS NOT NULL))[2]",
    "nth_value(u, 2 ORDER BY s DESC)": "list(u ORDER BY s DESC NULLS LAST, n)[2]",
    "mode() WITHIN GROUP (ORDER BY s)": "mode(s ORDER BY n)",
    "quantile_cont(0.25) WITHIN GROUP (ORDER BY f)": "quantile_cont(f, 0.25)",
    "percentile_disc(0.25) WITHIN GROUP (ORDER BY x DESC)": "quantile_disc(x, 0.25 ORDER BY x DESC)",
}
#: Each value once, where it first comes, said in Python over the window's rows.
ONCE: dict[str, Any] = {
    "list(DISTINCT s)": lambda rows: _once(row["s"] for row in rows) or None,
    "list(DISTINCT x) FILTER (WHERE b)": lambda rows: _once(row["x"] for row in rows if row["b"]) or None,
    "list(DISTINCT s ORDER BY s DESC)": lambda rows: (
        sorted({row["s"] for row in rows} - {None}, reverse=True)
        + [None] * any(row["s"] is None for row in rows)
        or None
    ),
    "string_agg(DISTINCT s, '-')": lambda rows: (
        "-".join(_once(row["s"] for row in rows if row["s"] is not None)) or None
    ),
    "last(DISTINCT x)": lambda rows: (_once(row["x"] for row in rows) or [None])[-1],
}


def _once(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


@pytest.fixture(scope="module")
def data() -> Data:
    return draw_data(7)  # many ties, NULLs and late rows in one table


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Any:
    opened = workbench.open(tmp_path_factory.mktemp("aggregates") / "project")
    load(opened, data)
    return opened


K = PartitionKey("k", Column("r", "k", "VARCHAR"))
FRAME = Frame("ROWS", Bound("offset", 4, text="4"), Bound("current"))
WINDOWS = {
    "history": Window("w", (K,), Column("r", "ts", "TIMESTAMP"), FRAME),
    "earlier rows": Window("w", (K,), Column("tx", "ts", "TIMESTAMP"), source=Source("tx"), maxsize=5),
}
BODIES = {
    "history": "PARTITION BY k ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW",
    "earlier rows": "FROM tx PARTITION BY k ORDER BY ts MAXSIZE 5",
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("text", [*AGGREGATES, *REWRITTEN, *ONCE])
def test_aggregates_are_those_of_duckdb(project: Any, data: Data, text: str, window: str) -> None:
    view = project.define(
        "a", f"SELECT r.id, {_over(text)} AS out FROM tx AS r WINDOW w AS ({BODIES[window]})"
    )
    own, ids = data.tables["tx"], _ids_of(data, WINDOWS[window])
    by_id = {row.values["id"]: row.values for row in own.rows}
    got = {row["id"]: row["out"] for row in view.offline().to_pyarrow().to_pylist()}
    with duckdb.connect(config={"threads": 1}) as connection:
        for row in own.rows:
            fed = arrow(own, [by_id[id_] for id_ in ids(stored_anchor(own, row))])
            wanted, kind = _wanted(connection, text, fed, view.schema["out"])
            assert same(wanted, got[row.values["id"]]), (row.values["id"], wanted, got[row.values["id"]])
            assert fed.num_rows >= 0 and view.schema["out"] == kind
        for asked in data.spine:
            by_id[asked["id"]] = asked
            fed = arrow(own, [by_id[id_] for id_ in ids(Anchor(asked, asked["ts"]))])
            wanted, answer = _wanted(connection, text, fed, "")[0], view.request(asked)["out"]
            assert same(_python(wanted), answer), (asked["id"], wanted, answer)


def _over(text: str) -> str:
    """The aggregate calls of an expression, OVER w."""
    if "FILTER" in text:
        return f"{text} OVER w"
    if text.startswith(("len(", "coalesce(")):
        return (
            text.replace("list(x)", "list(x) OVER w")
            .replace("max(x)", "max(x) OVER w")
            .replace("min(x)", "min(x) OVER w")
        )
    if text.startswith("list_sort("):
        return text.replace("list(s)", "list(s) OVER w")
    if text.startswith("sum(x) /"):
        return "sum(x) OVER w / nullif(count(x) OVER w, 0)"
    return f"{text} OVER w"


def _ids_of(data: Data, window: Window) -> Any:
    """A function from an anchor to the ids of the rows in its window, oldest first, found by brute force."""
    id_ = Column("tx" if window.source else "r", "id", "BIGINT")
    query = Query("tx", "r", (Output("ids", Aggregate("list", (id_,), "LIST", "w")),), windows=(window,))
    evaluator = Evaluator(data.tables, query)

    def ids(anchor: Anchor) -> list[int]:
        features = evaluator.features(anchor)
        assert features is not None
        return features["ids"] or []

    return ids


def _wanted(connection: duckdb.DuckDBPyConnection, text: str, fed: pa.Table, kind: str) -> tuple[Any, str]:
    if text in ONCE:
        return ONCE[text](fed.to_pylist()), kind
    fed = fed.append_column("n", pa.array(range(fed.num_rows)))
    return _plain(connection, REWRITTEN.get(text, text), fed)


def _plain(connection: duckdb.DuckDBPyConnection, text: str, fed: pa.Table) -> tuple[Any, str]:
    """Plain DuckDB's value and type; a sum of integers is BIGINT here, HUGEINT there."""
    text = text.replace("first_value", "first").replace("last_value", "last")
    found = connection.execute(f"SELECT {text} AS out, typeof({text}) AS kind FROM fed").to_arrow_table()
    value, kind = found.to_pylist()[0].values()
    if kind == "HUGEINT" and text.startswith("sum("):
        return (None if value is None else int(value)), "BIGINT"
    return value, kind


def _python(value: Any) -> Any:
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        return int(value)
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)
    return value
