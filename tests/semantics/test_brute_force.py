"""The brute-force evaluator on cases small enough to be checked by hand."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from .brute_force import Anchor, Evaluator, Stored, Table, stored_anchor
from .query import (
    Aggregate,
    Bound,
    Call,
    Column,
    Expression,
    Frame,
    Join,
    Literal,
    Now,
    Output,
    PartitionKey,
    Query,
    Source,
    Window,
)
from .text import render

HOUR = 3600 * 10**6


def at(hour: int) -> datetime:
    return datetime(2024, 1, 1, hour)


def table(time: str | None, columns: dict[str, str], *rows: tuple[Any, ...]) -> Table:
    """The first value of every row is its arrival number."""
    stored = [Stored(row[0], dict(zip(columns, row[1:], strict=True))) for row in rows]
    return Table(columns, time, stored)


TX = table(
    "ts",
    {"ts": "TIMESTAMP", "k": "VARCHAR", "x": "BIGINT", "o": "BIGINT"},
    (1, at(1), "a", 1, 5),
    (2, at(2), "a", None, 3),
    (3, at(2), "a", 30, 3),  # same time as 2, arrived later
    (9, at(2), "a", 900, None),  # same time, arrived last
    (4, at(3), None, 4000, 1),
    (5, at(4), None, 50000, 2),
    (6, at(4), "b", 6, 9),
)
EV = table(
    "at",
    {"at": "TIMESTAMP", "k": "VARCHAR", "v": "BIGINT", "m": "BIGINT"},
    (10, at(2), "a", 7, 1),
    (7, at(2), "a", 8, 2),
    (8, at(3), "a", 9, None),
    (11, at(1), None, 70, 1),
    (12, at(9), "a", 99, 2),
)
DIM = table(
    None,
    {"m": "BIGINT", "label": "VARCHAR", "rank": "BIGINT"},
    (13, 1, "old", 2),
    (14, 1, "new", 1),
    (15, 1, "unranked", None),
    (16, None, "null", 1),
)
TABLES = {"tx": TX, "ev": EV, "dim": DIM}

K = PartitionKey("k", Column("tx", "k", "VARCHAR"))
TS = Column("tx", "ts", "TIMESTAMP")
X = Column("tx", "x", "BIGINT")
UNBOUNDED, CURRENT = Bound("unbounded"), Bound("current")


def hours(n: int, *, open: bool = False) -> Bound:
    return Bound("offset", n * HOUR, open, f"{n}h")


def rows(n: int, *, open: bool = False) -> Bound:
    return Bound("offset", n, open, str(n))


def aggregate(name: str, *args: Expression, window: str = "w", **options: Any) -> Aggregate:
    return Aggregate(name, args, "BIGINT", window, **options)


def ask(
    output: Expression,
    *windows: Window,
    seq: int | None = None,
    row: dict[str, Any] | None = None,
    **parts: Any,
) -> Any:
    """One output for the stored anchor row ``seq``, or for the request ``row``."""
    query = Query("tx", parts.pop("alias", "tx"), (Output("out", output),), windows=windows, **parts)
    assert render(query)
    evaluator = Evaluator(TABLES, query)
    if row is not None:
        anchor = Anchor(row, row["ts"])
    else:
        anchor = stored_anchor(TX, next(stored for stored in TX.rows if stored.seq == seq))
    features = evaluator.features(anchor)
    return None if features is None else features["out"]


def history(frame: Frame | None = None, **options: Any) -> Window:
    return Window("w", (K,), TS, frame, **options)


def values_of(window: Window, **ask_for: Any) -> Any:
    return ask(Aggregate("list", (X,), "LIST", "w"), window, **ask_for)


@pytest.mark.parametrize(
    ("seq", "expected"),
    [
        (1, [1]),
        (2, [1, None]),
        (3, [1, None, 30]),
        (9, [1, None, 30, 900]),
        (4, [4000]),
        (5, [4000, 50000]),
        (6, [6]),
    ],
)
def test_ties_are_seen_in_arrival_order_and_null_is_a_key(seq: int, expected: list[int | None]) -> None:
    assert values_of(history(), seq=seq) == expected


def test_a_request_sees_every_stored_row_of_its_time() -> None:
    request = {"ts": at(2), "k": "a", "x": -1, "o": 4}
    assert values_of(history(), row=request) == [1, None, 30, 900, -1]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (Frame("ROWS", rows(2), CURRENT), [None, 30, 900]),
        (Frame("ROWS", rows(2, open=True), CURRENT), [30, 900]),
        (Frame("ROWS", rows(2), rows(1)), [None, 30]),
        (Frame("ROWS", rows(3), rows(1, open=True)), [1, None]),
        (Frame("ROWS", UNBOUNDED, rows(3)), [1]),
        (Frame("ROWS", rows(9), rows(4)), None),
        (Frame("ROWS_RANGE", hours(1), CURRENT), [1, None, 30, 900]),
        (Frame("RANGE", hours(1, open=True), CURRENT), [None, 30, 900]),
        (Frame("RANGE", hours(1), hours(0, open=True)), [1]),
        (Frame("RANGE", hours(1), hours(0)), [1, None, 30, 900]),
        (Frame("RANGE", UNBOUNDED, hours(1)), [1]),
        (Frame("RANGE", UNBOUNDED, hours(1, open=True)), None),
    ],
)
def test_frames_are_closed_unless_open(frame: Frame, expected: list[int | None] | None) -> None:
    assert values_of(history(frame), seq=9) == expected


def test_exclude_current_row_comes_after_the_frame_and_maxsize_after_both() -> None:
    two_back = Frame("ROWS", rows(2), CURRENT)
    assert values_of(history(two_back, exclude_current_row=True), seq=9) == [None, 30]
    assert values_of(history(maxsize=2), seq=9) == [30, 900]
    assert values_of(history(maxsize=2, exclude_current_row=True), seq=9) == [None, 30]


def test_lag_ignores_frame_maxsize_and_exclusion() -> None:
    narrow = history(Frame("ROWS", rows(1), CURRENT), maxsize=1, exclude_current_row=True)
    assert [ask(aggregate("lag", X, Literal(n, "BIGINT")), narrow, seq=9) for n in range(5)] == [
        900,
        30,
        None,
        1,
        None,
    ]


def test_an_integer_order_column_is_time_and_null_order_is_never_seen() -> None:
    by_o = Window("w", (K,), Column("tx", "o", "BIGINT"))
    assert values_of(by_o, seq=1) == [None, 30, 1]  # o = 3, 3, 5: all before (5, 1)
    assert values_of(by_o, seq=3) == [None, 30]
    assert values_of(by_o, seq=9) == [900]  # no order value: only itself
    near = Window("w", (K,), Column("tx", "o", "BIGINT"), Frame("RANGE", rows(2, open=True), CURRENT))
    assert values_of(near, seq=1) == [1]


def from_ev(frame: Frame | None = None, where: Expression | None = None, **options: Any) -> Window:
    return Window("w", (K,), Column("ev", "at", "TIMESTAMP"), frame, source=Source("ev", where), **options)


V = Column("ev", "v", "BIGINT")


def ev_values(window: Window, seq: int) -> Any:
    return ask(Aggregate("list", (V,), "LIST", "w"), window, seq=seq)


def test_a_window_over_another_table_sees_equal_times_and_numbers_from_one() -> None:
    assert ev_values(from_ev(), 2) == [8, 7]  # both at 2:00, seq 7 before 10
    assert ev_values(from_ev(Frame("ROWS", rows(1), CURRENT)), 2) == [7]
    assert ev_values(from_ev(exclude_current_row=True, maxsize=1), 2) == [7]
    assert ev_values(from_ev(), 4) is None  # NULL key
    assert ask(aggregate("lag", V, Literal(1, "BIGINT")), from_ev(), seq=2) == 7
    assert ask(aggregate("count"), from_ev(), seq=6) == 0


def test_a_window_over_another_table_may_filter_with_the_anchors_values() -> None:
    below = Call("<", (V, Call("+", (X, Literal(7, "BIGINT")), "BIGINT")), "BOOLEAN")
    assert ask(aggregate("count", where=below), from_ev(), seq=1) == 0
    request = {"ts": at(2), "k": "a", "x": 1, "o": 4}
    assert ask(aggregate("count", where=below), from_ev(), row=request) == 1
    only_nulls = from_ev(where=Call("is null", (Column("ev", "m", "BIGINT"),), "BOOLEAN"))
    assert ask(aggregate("count"), only_nulls, row={**request, "ts": at(5)}) == 1


def test_a_window_over_the_anchors_own_table_is_strictly_before() -> None:
    own = Window("w", (PartitionKey("k", Column("r", "k", "VARCHAR")),), TS, source=Source("tx"))
    counts = {seq: ask(aggregate("count"), own, seq=seq, alias="r") for seq in (1, 2, 3, 9, 4, 5)}
    assert counts == {1: 0, 2: 1, 3: 2, 9: 3, 4: 0, 5: 0}


def last(table_: str, alias: str, column: str, key: str = "k", **options: Any) -> tuple[Join, Column]:
    types = TABLES[table_].columns
    keys = ((Column(alias, key, types[key]), Column("tx", key, types[key])),)
    return Join(alias, table_, keys, **options), Column(alias, column, types[column])


def test_last_join_takes_the_greatest_time_and_arrival() -> None:
    join, value = last("ev", "e", "v")
    assert [ask(value, joins=(join,), seq=seq) for seq in (1, 2, 3, 6, 4)] == [None, 7, 7, None, None]
    ordered, value = last("ev", "e", "v", order=Column("e", "m", "BIGINT"))
    assert (
        ask(value, joins=(ordered,), row={"ts": at(5), "k": "a", "x": 1, "o": 1}) == 8
    )  # m = 2; NULL is last


def test_last_join_conditions_choose_among_matches() -> None:
    smaller = Call("<", (Column("e", "v", "BIGINT"), Column("tx", "x", "BIGINT")), "BOOLEAN")
    join, value = last("ev", "e", "v", conditions=(smaller,))
    request = {"ts": at(5), "k": "a", "x": 9, "o": 1}
    assert ask(value, joins=(join,), row=request) == 7
    assert ask(value, joins=(join,), row={**request, "x": None}) is None


def test_last_join_of_the_own_table_is_strictly_before() -> None:
    join, value = last("tx", "p", "x")
    assert [ask(value, joins=(join,), seq=seq) for seq in (1, 2, 3, 9)] == [None, 1, None, 30]


def test_a_chain_ends_in_a_static_table_whose_newest_row_counts() -> None:
    first, _ = last("ev", "e", "v")
    keys = ((Column("dim", "m", "BIGINT"), Column("e", "m", "BIGINT")),)
    label = Column("dim", "label", "VARCHAR")
    assert ask(label, joins=(first, Join("dim", "dim", keys)), seq=2) == "unranked"
    by_rank = Join("dim", "dim", keys, order=Column("dim", "rank", "BIGINT"))
    assert ask(label, joins=(first, by_rank), seq=2) == "old"
    assert ask(label, joins=(first, by_rank), seq=1) is None


def test_where_filters_history_and_anchor() -> None:
    known = (Call("is not null", (X,), "BOOLEAN"),)
    assert values_of(history(), seq=9, where=known) == [1, 30, 900]
    assert ask(aggregate("lag", X, Literal(2, "BIGINT")), history(), seq=9, where=known) == 1
    assert ask(X, seq=2, where=known) is None


def test_history_rows_keep_the_joined_values_of_their_own_time() -> None:
    join, value = last("ev", "e", "v")
    assert ask(Aggregate("list", (value,), "LIST", "w"), history(), joins=(join,), seq=3) == [None, 7, 7]


def test_the_cut_hides_rows_that_were_not_known() -> None:
    query = Query("tx", "tx", (Output("out", Aggregate("list", (X,), "LIST", "w")),), windows=(history(),))
    request = Anchor({"ts": at(2), "k": "a", "x": -1, "o": 4}, at(2))
    assert Evaluator(TABLES, query, cut=3).features(request) == {"out": [1, None, 30, -1]}


def test_now_is_the_time_of_the_anchor_also_inside_aggregates() -> None:
    age = Call("date_diff", (Literal("hour", "VARCHAR"), TS, Now()), "BIGINT")
    assert ask(Aggregate("list", (age,), "LIST", "w"), history(), seq=3) == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("count", 3),
        ("sum", 931),
        ("min", 1),
        ("max", 900),
        ("median", 30.0),
        ("first_value", 1),
        ("last_value", 900),
        ("any_value", 1),
        ("var_pop", 173993.55555555556),
    ],
)
def test_aggregates_skip_nulls(name: str, expected: float) -> None:
    assert ask(aggregate(name, X), history(), seq=9) == pytest.approx(expected)


def test_aggregates_of_nothing() -> None:
    nothing = history(Frame("ROWS", rows(9), rows(8)))
    names = [
        "count",
        "sum",
        "avg",
        "min",
        "stddev_samp",
        "median",
        "first_value",
        "list",
        "string_agg",
        "bool_or",
        "mode",
    ]
    assert [ask(aggregate(name, X), nothing, seq=9) for name in names] == [0, *[None] * 10]
    assert ask(aggregate("count"), nothing, seq=9) == 0


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (Call("and", (Literal(None, "BOOLEAN"), Literal(False, "BOOLEAN")), "BOOLEAN"), False),
        (Call("or", (Literal(None, "BOOLEAN"), Literal(False, "BOOLEAN")), "BOOLEAN"), None),
        (Call("in", (Literal(1, "BIGINT"), Literal(2, "BIGINT"), Literal(None, "BIGINT")), "BOOLEAN"), None),
        (Call("not in", (Literal(1, "BIGINT"), Literal(2, "BIGINT")), "BOOLEAN"), True),
        (
            Call("between", (Literal(9, "BIGINT"), Literal(None, "BIGINT"), Literal(5, "BIGINT")), "BOOLEAN"),
            False,
        ),
        (Call("//", (Literal(-7, "BIGINT"), Literal(2, "BIGINT")), "BIGINT"), -3),
        (Call("%", (Literal(-7, "BIGINT"), Literal(3, "BIGINT")), "BIGINT"), -1),
        (Call("//", (Literal(1, "BIGINT"), Literal(0, "BIGINT")), "BIGINT"), None),
        (Call("greatest", (Literal(1, "BIGINT"), Literal(None, "BIGINT")), "BIGINT"), 1),
        (Call("nullif", (Literal(1, "BIGINT"), Literal(None, "BIGINT")), "BIGINT"), 1),
        (Call("cast", (Literal(2.5, "DOUBLE"),), "BIGINT"), 2),
        (Call("coalesce", (Literal(None, "DOUBLE"), Literal(1, "BIGINT")), "DOUBLE"), 1.0),
        (
            Call(
                "date_diff",
                (
                    Literal("hour", "VARCHAR"),
                    Literal(datetime(2024, 1, 1, 0, 59), "TIMESTAMP"),
                    Literal(at(1), "TIMESTAMP"),
                ),
                "BIGINT",
            ),
            1,
        ),
        (Call("cast", (Literal(at(3), "TIMESTAMP"),), "DATE"), date(2024, 1, 1)),
    ],
)
def test_scalars(call: Call, expected: Any) -> None:
    assert ask(call, seq=1) == expected
