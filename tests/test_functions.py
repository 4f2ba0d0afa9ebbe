"""Python functions in views: the same on both sides, their errors of one row, their versions, and in a new server."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench
from tests.serving.web import Web, owner
from workbench.deployment import ensure_server, stop_server
from workbench.errors import Conflict, DefinitionError, FunctionError, NotFound, RowError

START = datetime(2024, 1, 1)
COLUMNS = {"ts": "TIMESTAMP", "k": "VARCHAR", "x": "BIGINT", "f": "DOUBLE", "l": "BIGINT[]"}
ROWS: list[dict[str, Any]] = [
    {
        "ts": START + timedelta(hours=n // 2),
        "k": "ab"[n % 3 % 2],
        "x": None if n % 7 == 3 else n,
        "f": n / 4 - 1,
        "l": [n, None],
    }
    for n in range(20)
]
WINDOW = "WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)"
SCALE = 10


@pytest.fixture
def project(tmp_path: Path) -> Any:
    opened = workbench.open(tmp_path / "p")
    opened.create_table("tx", COLUMNS, time="ts").append(ROWS)
    return opened


def column(result: Any, name: str) -> list[Any]:
    return result.to_pyarrow().column(name).to_pylist()


def windows() -> list[list[dict[str, Any]]]:
    """Each row's window, oldest first."""
    found = []
    for place, row in enumerate(ROWS):
        own = [other for other in ROWS[: place + 1] if other["k"] == row["k"]]
        found.append(own[-3:])
    return found


def test_scalar_functions_on_both_sides(project: Any) -> None:
    @project.function
    def scaled(x: int, f: float) -> float:
        return x * SCALE + f

    @project.function(args=["BIGINT[]"], returns="VARCHAR")
    def shown(values):  # type: ignore[no-untyped-def]
        return repr(values)

    view = project.define(
        "v", f"SELECT SCALED(x, f) AS s, shown(l) AS t, abs(scaled(sum(x) OVER w, 0)) AS n FROM tx {WINDOW}"
    )
    assert view.schema == {"s": "DOUBLE", "t": "VARCHAR", "n": "DOUBLE"}
    result = view.offline()
    assert column(result, "s") == [None if r["x"] is None else r["x"] * 10 + r["f"] for r in ROWS]
    assert column(result, "t") == [repr(row["l"]) for row in ROWS]
    sums = [[r["x"] for r in rows if r["x"] is not None] for rows in windows()]
    assert column(result, "n") == [sum(values) * 10.0 if values else None for values in sums]
    assert scaled(1, 0.5) == 10.5, "the function stays as it is"
    assert view.check(rows="all").ok
    assert column(view.preview(50), "s") is not None
    answer = view.request({"ts": START + timedelta(days=1), "k": "c", "x": 2, "f": 0.5, "l": []})
    assert answer == {"s": 20.5, "t": "[]", "n": 20.0}
    assert view.why({"ts": START, "k": "c", "x": 2, "f": 0.5, "l": []}, "s").value == 20.5


def test_aggregates_get_their_values_in_order(project: Any) -> None:
    @project.function(aggregate=True)
    def joined(values: list[int]) -> str:
        return ",".join(map(str, values))

    @project.function(aggregate=True, null="call")
    def paired(values: list[int], others: list[float]) -> str:
        return str(list(zip(values, others, strict=True)))

    view = project.define(
        "v",
        "SELECT joined(x) OVER w AS j, paired(x, f) OVER w AS p, joined(x) FILTER (WHERE x > 100) OVER w AS none, "
        "paired(x, f) FILTER (WHERE x > 100) OVER w AS empty, joined(x ORDER BY f DESC) OVER w AS back "
        f"FROM tx {WINDOW}",
    )
    rows = windows()
    joins = [[str(r["x"]) for r in found if r["x"] is not None] for found in rows]
    result = view.offline()
    assert column(result, "j") == [",".join(found) or None for found in joins]
    assert column(result, "p") == [str([(r["x"], r["f"]) for r in found]) for found in rows]
    assert set(column(result, "none")) == {None} and set(column(result, "empty")) == {"[]"}
    assert column(result, "back") == [",".join(found[::-1]) or None for found in joins]
    assert view.check(rows="all").ok


def test_texts_outlive_the_call_that_made_them(project: Any) -> None:
    @project.function
    def long(x: int) -> str:
        return f"a text that does not fit sixteen bytes: {x}"

    view = project.define("v", f"SELECT coalesce(long(x), long(sum(x) OVER w)) AS t FROM tx {WINDOW}")
    expected = [
        long(row["x"] if row["x"] is not None else sum(r["x"] for r in found if r["x"] is not None))
        for row, found in zip(ROWS, windows(), strict=True)
    ]
    for _ in range(5):
        assert column(view.offline(), "t") == expected


def test_values_of_every_type_are_the_same_on_both_sides(project: Any) -> None:
    @project.function(
        args=["DECIMAL(9,2)", "STRUCT(a BIGINT)", "INTERVAL", "MAP(VARCHAR, BIGINT)"], returns="VARCHAR"
    )
    def seen(a, b, c, d):  # type: ignore[no-untyped-def]
        return repr((a, b, c, d))

    view = project.define(
        "v",
        "SELECT seen(CAST(f AS DECIMAL(9,2)), {'a': x}, to_hours(x), MAP {k: x}) AS s FROM tx WHERE x > 0",
    )
    assert view.check(rows="all").ok
    assert column(view.offline(), "s")[0].startswith("(Decimal('-0.75'), {'a': 1}, datetime.timedelta(")


def test_a_null_is_null_or_passed_on(project: Any) -> None:
    @project.function
    def kept(x: int) -> bool:
        return x is None

    @project.function(null="call")
    def passed(x: int) -> bool:
        return x is None

    view = project.define("v", "SELECT kept(x) AS a, passed(x) AS b FROM tx")
    assert column(view.offline(), "a") == [None if row["x"] is None else False for row in ROWS]
    assert column(view.offline(), "b") == [row["x"] is None for row in ROWS]
    assert view.check(rows="all").ok


# -- errors


def test_an_exception_names_function_row_and_message(project: Any) -> None:
    @project.function
    def inverse(x: int) -> float:
        if x == 11:
            raise ValueError("eleven\nis bad")
        return 1 / (x + 1)

    view = project.define("v", "SELECT inverse(x) AS i FROM tx")
    with pytest.raises(FunctionError) as caught:
        view.offline().to_pyarrow()
    assert caught.value.message == "the row of seq 12: inverse(11) failed: ValueError: eleven is bad"
    assert caught.value.function == "inverse"
    spine = [{"ts": START, "k": "z", "x": x} for x in (1, 2, 11, 4)]
    with pytest.raises(FunctionError) as caught:
        view.offline(spine=spine).to_pyarrow()
    assert (caught.value.row, caught.value.message) == (
        2,
        "row 2: inverse(11) failed: ValueError: eleven is bad",
    )
    with pytest.raises(RowError, match=r"^inverse\(-1\) failed: ZeroDivisionError: division by zero"):
        view.request({"k": "z", "x": -1})
    summed = project.define("summed", f"SELECT inverse(x) AS i, inverse(sum(x) OVER w) AS j FROM tx {WINDOW}")
    with pytest.raises(FunctionError, match=r"^the row of seq 7: inverse\(11\)"):
        summed.offline().to_pyarrow()
    engine = summed._engine()
    answers = engine.request([{"k": "z", "x": 1}, {"k": "z", "x": -1}, {"k": "z", "x": 3}])
    assert [answer.error is None for answer in answers] == [True, False, True]
    assert answers[2].features == {"i": 0.25, "j": 0.25}


def test_an_exception_inside_a_window_names_the_call(project: Any) -> None:
    @project.function
    def picky(x: int) -> int:
        return 1 // (x - 11)

    view = project.define("v", f"SELECT sum(picky(x)) OVER w AS s FROM tx {WINDOW}")
    with pytest.raises(FunctionError, match=r"^picky\(11\) failed: ZeroDivisionError"):
        view.offline().to_pyarrow()


def test_a_value_of_another_type_is_an_error_of_its_row(project: Any) -> None:
    @project.function
    def wrong(x: int) -> float:
        return "text" if x == 5 else 1.0  # type: ignore[return-value]

    view = project.define("v", "SELECT wrong(x) AS w FROM tx")
    with pytest.raises(
        FunctionError, match=r"seq 6: wrong\(5\) failed: it returned 'text', which is no DOUBLE"
    ):
        view.offline().to_pyarrow()


@pytest.mark.parametrize("kind", ["random", "counter"])
def test_the_check_finds_what_differs_from_call_to_call(project: Any, kind: str) -> None:
    if kind == "random":

        @project.function
        def unsteady(x: int) -> float:
            return x + random.random()
    else:

        @project.function
        def unsteady(x: int) -> float:
            import builtins

            counter = builtins.__dict__.setdefault("_wb_counter", itertools.count())
            return x + next(counter)

    view = project.define("v", "SELECT unsteady(x) AS u FROM tx")
    report = view.check(rows="all")
    assert report.by_feature == {"u": len([row for row in ROWS if row["x"] is not None])}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("one(x, x)", "takes 1 arguments"),
        ("one(x) OVER w", "is no aggregate"),
        ("many(x)", "is an aggregate and needs a window"),
        ("many(DISTINCT x) OVER w", "takes all rows"),
        ("many(x, x) OVER w", "takes 1 arguments"),
        ("list_transform(l, lambda v: one(v))", "cannot stand in a lambda"),
        ("onee(x)", "did you mean 'one'"),
        ("one(k)", "one"),
    ],
)
def test_calls_that_cannot_be(project: Any, call: str, message: str) -> None:
    @project.function
    def one(x: int) -> int:
        return x

    @project.function(aggregate=True)
    def many(x: list[int]) -> int:
        return len(x)

    with pytest.raises(DefinitionError, match=message) as caught:
        project.define("v", f"SELECT {call} AS c FROM tx {WINDOW}")
    assert caught.value.position is not None


# -- versions


def test_a_view_keeps_the_version_that_it_was_defined_with(project: Any) -> None:
    @project.function
    def step(x: int) -> int:
        return x + 1

    first = project.define("v", "SELECT step(x) AS s FROM tx").save()

    @project.function(name="step")
    def other(x: int) -> int:
        return x + 2

    second = project.define("v", "SELECT step(x) AS s FROM tx").save()
    assert (first.version, second.version) == (1, 2) and first.plan.hash != second.plan.hash
    again = workbench.open(project.path)
    assert column(again.view("v", 1).offline(), "s")[:2] == [1, 2]
    assert column(again.view("v", 2).offline(), "s")[:2] == [2, 3]
    (lineage,) = second.lineage()
    made = project.python_function("step")
    assert [str(ref) for ref in lineage.functions] == [f"step@{made.hash}"] == [made.full_name]
    assert project.python_function("step", 1).source.endswith("return x + 1\n")
    assert project.list_functions() == ["step"]
    with pytest.raises(Conflict, match="view 'v' uses the function 'step'"):
        project.drop_function("step")
    project.drop_view("v")
    project.drop_function("step")
    assert project.list_functions() == []
    with pytest.raises(NotFound):
        project.python_function("step")
    with pytest.raises(DefinitionError, match="no function 'step'"):
        project.define("v", "SELECT step(x) AS s FROM tx")


def test_the_text_of_a_plan_calls_its_versions(project: Any) -> None:
    @project.function(name="f")
    def old(x: int) -> int:
        return x + 1

    @project.function(aggregate=True)
    def many(x: list[int]) -> int:
        return len(x)

    view = project.define("v", f"SELECT discrete(f(x), 8) AS a, f(many(x) OVER w) AS b FROM tx {WINDOW}")

    @project.function(name="f")
    def new(x: int) -> int:
        return x + 2

    again = project.define("again", view.to_sql("workbench"))
    assert again.plan.hash == view.plan.hash and str(again.plan.kinds["a"]) == "discrete:8"
    with pytest.raises(DefinitionError, match=r"calls the Python function f\(\)"):
        view.to_sql()


def test_functions_stand_wherever_an_expression_does(project: Any) -> None:
    @project.function
    def twice(x: int) -> int:
        return x * 2

    @project.function(aggregate=True)
    def many(x: list[int]) -> int:
        return len(x)

    project.create_table("dim", {"id": "BIGINT", "r": "DOUBLE"}).append([{"id": 8, "r": 1.5}])
    view = project.define(
        "v",
        "SELECT twice(x) AS a, d.r, sum(twice(x)) FILTER (WHERE twice(x) > 2) OVER w AS s, many(x) OVER e AS n "
        "FROM tx LAST JOIN dim d ON twice(tx.x) = d.id WHERE twice(x) > 1 WINDOW w AS (PARTITION BY k ORDER BY ts), "
        "e AS (FROM tx WHERE twice(x) > 2 PARTITION BY k ORDER BY ts)",
    )
    assert view.check(rows="all").ok and [v for v in column(view.offline(), "r") if v] == [1.5]
    above = project.define("above", "SELECT twice(a) AS b FROM v")
    assert above.check(rows="all").ok
    plain = project.define("plain", "SELECT x FROM tx")
    assert column(plain.offline(where="twice(x) > 30"), "x") == [16, 18, 19]
    assert column(view.offline(where="twice(x) > 30"), "a") == [32, 36, 38]


def test_names_of_duckdb_are_taken(project: Any) -> None:
    def abs_(x: int) -> int:
        return x

    for name in ("abs", "sum", "coalesce"):
        with pytest.raises(Conflict, match="DuckDB has a function"):
            project.function(name=name)(abs_)


def test_a_label_and_a_training_set_may_use_functions(project: Any) -> None:
    @project.function(aggregate=True)
    def span(values: list[float]) -> float:
        return max(values) - min(values)

    project.define("v", f"SELECT span(f) OVER w AS s FROM tx {WINDOW}")
    project.define_label(
        "next_span",
        "SELECT span(f) OVER w AS y FROM tx WINDOW w AS (PARTITION BY k ORDER BY ts "
        "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING)",
    )
    frame = project.training_set("tx", ["v"], label="next_span").to_pandas()
    assert list(frame.columns) == [*COLUMNS, "s", "y"] and len(frame) == 16


# -- in the server


@pytest.fixture
def served(project: Any) -> Iterator[Any]:
    yield project
    stop_server(project.path)


def test_a_new_server_runs_the_function(served: Any) -> None:
    @served.function
    def scaled(x: int) -> float:
        if x < 0:
            raise ValueError("negative")
        return x * SCALE

    @served.function(aggregate=True)
    def newest(values: list[int]) -> int:
        return values[-1]

    deployment = served.define("v", f"SELECT scaled(x) AS s, newest(x) OVER w AS n FROM tx {WINDOW}").deploy()
    assert deployment.request({"k": "a", "x": 3, "ts": "2024-02-01T00:00:00"}) == {"s": 30.0, "n": 3}
    stop_server(served.path)
    web = Web(ensure_server(served.path).url, owner(served.path))
    answer = web.post("/v1/features/v", {"k": "a", "x": 4, "ts": "2024-02-01T00:00:00"})
    assert (answer.status, answer.json["features"]) == (200, {"s": 40.0, "n": 4})
    bad = web.post("/v1/features/v", {"k": "a", "x": -4, "ts": "2024-02-01T00:00:00"})
    assert bad.status == 422 and "scaled(-4) failed: ValueError: negative" in bad.detail
    both = web.post("/v1/features/v", [{"k": "a", "x": -4}, {"k": "a", "x": 5}]).json
    assert both["failed"] == 1


def test_what_a_function_returns_becomes_its_type_on_both_sides(project: Any) -> None:
    @project.function(returns="BIGINT")
    def whole(x: int) -> float:
        return float(x)

    @project.function(returns="FLOAT")
    def single(f: float) -> float:
        return f + 0.1

    @project.function
    def numpy_(f: float) -> float:
        import numpy

        return numpy.float64(f) * numpy.int64(2)  # type: ignore[no-any-return]

    @project.function
    def listed(x: int) -> list[float]:
        return [x, x / 3]

    @project.function(args=["FLOAT", "TIMESTAMP", "BIGINT[]", "BLOB"], returns="VARCHAR")
    def seen(a, b, c, d):  # type: ignore[no-untyped-def]
        return repr((a, b, c, d))

    view = project.define(
        "v",
        "SELECT whole(x) AS a, single(f) AS b, numpy_(f) AS c, listed(x) AS d, "
        "length(seen(CAST(f AS FLOAT), ts, l, encode(k))) AS e FROM tx",
    )
    assert view.check(rows="all").ok
    assert column(view.offline(), "a") == [row["x"] for row in ROWS]
    assert column(view.offline(), "c") == [row["f"] * 2 for row in ROWS]
    assert view.request({"ts": START, "k": "a", "x": 3, "f": 0.5, "l": [1]})["d"] == [3.0, 1.0]
