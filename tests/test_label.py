"""Labels: what lies ahead of an anchor row, against plain Python; where they are refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.errors import Conflict, DefinitionError, NotFound, WorkbenchError

START = datetime(2024, 1, 1)
HOUR = timedelta(hours=1)
TX = {"ts": "TIMESTAMP", "k": "VARCHAR", "x": "BIGINT", "n": "BIGINT"}
EV = {"at": "TIMESTAMP", "k": "VARCHAR", "v": "BIGINT"}
Row = dict[str, Any]


def rows(seed: int, count: int, time: str) -> list[Row]:
    rng = random.Random(seed)
    made = [
        {
            time: START + rng.randrange(12) * HOUR,
            "k": rng.choice(["a", "b", None]),
            "x": rng.choice([None, *range(9)]),
            "v": rng.randrange(20),
            "n": number,
        }
        for number in range(count)
    ]
    made.sort(key=lambda row: row[time])
    made.insert(3, made.pop())  # one comes late
    return made


def only(columns: dict[str, str], given: list[Row]) -> list[Row]:
    return [{name: row[name] for name in columns} for row in given]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = workbench.open(tmp_path_factory.mktemp("labels") / "p")
    opened.create_table("tx", TX, time="ts").append(only(TX, rows(1, 40, "ts")))
    opened.create_table("ev", EV, time="at").append(only(EV, rows(2, 30, "at")))
    return opened


def stored(project: Any, table: str) -> list[Row]:
    """The rows of a table with their arrival numbers."""
    time = project.table(table).time
    view = project.define("all_rows", f"SELECT * FROM {table}")
    from workbench.offline import OfflineFeatures

    found = OfflineFeatures(project.storage, view.plan).stored(carry=("__seq",)).to_pyarrow().to_pylist()
    project.drop_view("all_rows")
    return [{**row, "time": row[time]} for row in found]


def ahead(own: bool, source: list[Row], anchor: Row) -> list[Row]:
    """The rows after an anchor, nearest first."""
    later = [
        row
        for row in source
        if row["k"] == anchor["k"]
        and (own or row["k"] is not None)
        and (
            (row["time"], row["__seq"]) > (anchor["time"], anchor["__seq"])
            if own
            else row["time"] > anchor["time"]
        )
    ]
    return sorted(later, key=lambda row: (row["time"], row["__seq"]))


def within(found: list[Row], anchor: Row, low: timedelta, high: timedelta) -> list[Row]:
    return [row for row in found if low <= row["time"] - anchor["time"] <= high]


def total(found: list[Row], name: str) -> int | None:
    values = [row[name] for row in found if row[name] is not None]
    return sum(values) if values else None


MICRO = timedelta(microseconds=1)
HISTORY = "PARTITION BY k ORDER BY ts"
#: A window and what is in it; the horizon in hours, or in rows.
CASES: dict[str, tuple[str, Callable[[Row, list[Row], list[Row]], list[Row]], timedelta | int]] = {
    "to a time": (
        f"{HISTORY} ROWS_RANGE BETWEEN CURRENT ROW AND 3h FOLLOWING",
        lambda r, own, other: [r, *within(own, r, 0 * HOUR, 3 * HOUR)],
        3 * HOUR,
    ),
    "after a while": (
        f"{HISTORY} RANGE BETWEEN 1h FOLLOWING AND INTERVAL 3 HOUR FOLLOWING",
        lambda r, own, other: within(own, r, HOUR, 3 * HOUR),
        3 * HOUR,
    ),
    "open ends": (
        f"{HISTORY} ROWS_RANGE BETWEEN 0s OPEN FOLLOWING AND 3h OPEN FOLLOWING",
        lambda r, own, other: within(own, r, MICRO, 3 * HOUR - MICRO),
        3 * HOUR - MICRO,
    ),
    "without the row": (
        f"{HISTORY} ROWS_RANGE BETWEEN CURRENT ROW AND 3h FOLLOWING EXCLUDE CURRENT_ROW",
        lambda r, own, other: within(own, r, 0 * HOUR, 3 * HOUR),
        3 * HOUR,
    ),
    "without its time": (
        f"{HISTORY} ROWS_RANGE BETWEEN CURRENT ROW AND 3h FOLLOWING EXCLUDE CURRENT_TIME",
        lambda r, own, other: [r, *within(own, r, MICRO, 3 * HOUR)],
        3 * HOUR,
    ),
    "the nearest": (
        f"{HISTORY} ROWS_RANGE BETWEEN 1h FOLLOWING AND 5h FOLLOWING MAXSIZE 2",
        lambda r, own, other: within(own, r, HOUR, 5 * HOUR)[:2],
        5 * HOUR,
    ),
    "rows": (
        f"{HISTORY} ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING",
        lambda r, own, other: own[:3],
        3,
    ),
    "rows with this": (
        f"{HISTORY} ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING",
        lambda r, own, other: [r, *own[:2]],
        2,
    ),
    "another table": (
        "FROM ev PARTITION BY k ORDER BY at ROWS_RANGE BETWEEN CURRENT ROW AND 4h FOLLOWING",
        lambda r, own, other: within(other, r, 0 * HOUR, 4 * HOUR),
        4 * HOUR,
    ),
    "another table with a condition": (
        "FROM ev WHERE v > 5 PARTITION BY k ORDER BY at ROWS_RANGE BETWEEN 2h FOLLOWING AND 4h FOLLOWING MAXSIZE 3",
        lambda r, own, other: [o for o in within(other, r, 2 * HOUR, 4 * HOUR) if o["v"] > 5][:3],
        4 * HOUR,
    ),
}


def horizon_passed(case: str, anchor: Row, own: list[Row], latest: datetime) -> bool:
    horizon = CASES[case][2]
    return len(own) >= horizon if isinstance(horizon, int) else anchor["time"] + horizon <= latest


@pytest.mark.parametrize("case", CASES)
def test_a_label_is_what_plain_python_says(project: Any, case: str) -> None:
    window, chosen, _ = CASES[case]
    column = "v" if "ev" in window else "n"
    label = project.define_label(
        "ahead",
        f"SELECT ts, k, n, count(*) OVER w AS c, sum({column}) OVER w AS s, list({column}) OVER w AS l, "
        f"first_value({column}) OVER w AS f FROM tx WINDOW w AS ({window})",
    )
    tx, ev = stored(project, "tx"), stored(project, "ev")
    latest = max(row["time"] for row in (ev if column == "v" else tx))
    expected = []
    for anchor in tx:
        own, other = ahead(True, tx, anchor), ahead(False, ev, anchor)
        if horizon_passed(case, anchor, own, latest):
            found = chosen(anchor, own, other)
            values = [row[column] for row in found]
            expected.append((anchor["n"], len(found), sum(values) if values else None, values or None))
    result = label.offline()
    got = [(r["n"], r["c"], r["s"], r["l"]) for r in result.to_pyarrow().to_pylist()]
    assert got == expected
    assert 0 < len(got) < len(tx)
    assert result.metadata["dropped"] == str(len(tx) - len(got))
    # without aggregates that depend on the order, in one pass of window functions
    plain = project.define_label(
        "plain", f"SELECT n, count(*) OVER w AS c, sum({column}) OVER w AS s FROM tx WINDOW w AS ({window})"
    )
    assert [(r["n"], r["c"], r["s"]) for r in plain.offline().to_pyarrow().to_pylist()] == [
        row[:3] for row in expected
    ]
    assert [row["f"] for row in result.to_pyarrow().to_pylist()] == [
        row[3][0] if row[3] else None for row in expected
    ]


def test_the_rows_of_a_spine_see_all_that_is_later(project: Any) -> None:
    label = project.define_label(
        "later",
        f"SELECT n, count(*) OVER w AS c FROM tx WINDOW w AS ({HISTORY} "
        "ROWS_RANGE BETWEEN CURRENT ROW AND 3h FOLLOWING EXCLUDE CURRENT_ROW)",
    )
    tx = stored(project, "tx")
    spine = [{"ts": START + hour * HOUR, "k": "a", "n": hour} for hour in range(12)]
    latest = max(row["time"] for row in tx)
    expected = [
        (
            row["n"],
            len([t for t in tx if t["k"] == "a" and timedelta(0) < t["time"] - row["ts"] <= 3 * HOUR]),
        )
        for row in spine
        if row["ts"] + 3 * HOUR <= latest
    ]
    got = [tuple(row.values()) for row in label.offline(spine=spine).to_pyarrow().to_pylist()]
    assert got == expected


@pytest.mark.parametrize("offset", [1, 3])
def test_lead_is_the_value_of_a_later_row(project: Any, offset: int) -> None:
    label = project.define_label(
        "lead_",
        f"SELECT n, lead(x, {offset}) OVER w AS later, lag(x) OVER w AS before FROM tx WINDOW w AS ({HISTORY})",
    )
    tx = stored(project, "tx")
    expected = []
    for anchor in tx:
        own = ahead(True, tx, anchor)
        if len(own) >= offset:
            expected.append((anchor["n"], own[offset - 1]["x"]))
    got = [(row["n"], row["later"]) for row in label.offline().to_pyarrow().to_pylist()]
    assert got == expected
    view = project.define("lagged", f"SELECT n, lag(x) OVER w AS before FROM tx WINDOW w AS ({HISTORY})")
    lagged = {row["n"]: row["before"] for row in view.offline().to_pyarrow().to_pylist()}
    assert all(row["before"] == lagged[row["n"]] for row in label.offline().to_pyarrow().to_pylist()), (
        "what looks back in a label is what it is in a view"
    )


def test_as_of_is_the_latest_time_that_is_known(project: Any) -> None:
    frame = "ROWS_RANGE BETWEEN 1h FOLLOWING AND 3h FOLLOWING"
    counted = f"SELECT n, ts, count(*) OVER w AS c FROM tx WINDOW w AS ({HISTORY} {frame})"
    label = project.define_label("counted", counted)
    full = {row["n"]: row["c"] for row in label.offline().to_pyarrow().to_pylist()}
    until = START + 7 * HOUR
    early = label.offline(as_of=until).to_pyarrow().to_pylist()
    assert early and all(row["ts"] + 3 * HOUR <= until for row in early)
    assert {row["n"]: row["c"] for row in early}.items() <= full.items()
    later = label.offline(as_of="2025-01-01T00:00:00Z")
    assert len(later) == 40 and later.metadata["dropped"] == "0"
    leading = project.define_label(
        "leading", f"SELECT n, ts, lead(n, 2) OVER w AS l FROM tx WINDOW w AS ({HISTORY})"
    )
    tx = [row for row in stored(project, "tx") if row["time"] <= until]
    expected = [(row["n"], found[1]["n"]) for row in tx if len(found := ahead(True, tx, row)) >= 2]
    got = [(row["n"], row["l"]) for row in leading.offline(as_of=until).to_pyarrow().to_pylist()]
    assert got == expected
    with pytest.raises(WorkbenchError, match="as_of is not a time"):
        label.offline(as_of="yesterday")


def test_a_cut_knows_only_what_had_arrived(project: Any) -> None:
    label = project.define_label(
        "cut_",
        f"SELECT n, count(*) OVER w AS c FROM tx WINDOW w AS ({HISTORY} ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING)",
    )
    tx = stored(project, "tx")
    cut = tx[20]["__seq"]
    known = [row for row in tx if row["__seq"] <= cut]
    expected = [row["n"] for row in known if len(ahead(True, known, row)) >= 2]
    assert label.offline(cut=cut).to_pandas()["n"].tolist() == expected


def test_a_label_of_an_empty_table_has_no_rows(tmp_path: Path) -> None:
    project = workbench.open(tmp_path / "p")
    project.create_table("tx", TX, time="ts")
    label = project.define_label("l", f"SELECT lead(x) OVER w AS y FROM tx WINDOW w AS ({HISTORY})")
    assert len(label.offline()) == 0


def test_delay_and_ttl_say_nothing_of_what_is_ahead(tmp_path: Path) -> None:
    project = workbench.open(tmp_path / "p")
    project.create_table("tx", TX, time="ts", delay="6h", ttl="12h")
    project.table("tx").append(
        [{"ts": START + hour * HOUR, "k": "a", "x": hour, "n": hour} for hour in range(48)]
    )
    label = project.define_label(
        "l",
        f"SELECT count(*) OVER w AS c FROM tx WINDOW w AS ({HISTORY} "
        "ROWS_RANGE BETWEEN 1h FOLLOWING AND 24h FOLLOWING)",
    )
    assert set(label.offline().to_pandas()["c"]) == {24}


# -- the catalog


def test_labels_have_versions_by_their_plans(tmp_path: Path) -> None:
    project = workbench.open(tmp_path / "p")
    project.create_table("tx", TX, time="ts")
    one = f"SELECT lead(x) OVER w AS y FROM tx WINDOW w AS ({HISTORY})"
    label = project.define_label("next_x", one)
    assert (label.version, label.sql, label.anchor, label.schema) == (None, one, "tx", {"y": "BIGINT"})
    assert label.save().version == 1
    assert project.define_label("NEXT_X", "-- the same\n" + one).version == 1
    assert project.define_label("next_x", one.replace("lead(x)", "lead(x, 2)")).save().version == 2
    assert project.label("next_x").version == 2 and project.label("next_x", 1).plan == label.plan
    assert project.list_labels() == ["next_x"]
    assert "next_x (version 2)" in repr(project.label("next_x"))
    with pytest.raises(NotFound, match="has no version 3"):
        project.label("next_x", 3)
    with pytest.raises(Conflict, match="label 'next_x' uses table 'tx'"):
        project.drop_table("tx")
    project.drop_label("next_x")
    assert project.list_labels() == []
    with pytest.raises(NotFound, match="no label 'next_x'"):
        project.label("next_x")


def test_a_label_is_nothing_else(project: Any) -> None:
    label = project.define_label("only_label", f"SELECT lead(x) OVER w AS y FROM tx WINDOW w AS ({HISTORY})")
    for call in (label.deploy, lambda: label.request({}), label.check, lambda: project.view("only_label")):
        with pytest.raises(WorkbenchError, match="is a label and cannot be") as caught:
            call()
        assert "training_set" in (caught.value.hint or "")
    with pytest.raises(Conflict, match="is the name of a label"):
        project.define("only_label", "SELECT x FROM tx")
    with pytest.raises(Conflict, match="is the name of a label"):
        project.create_table("only_label", TX)
    with pytest.raises(Conflict, match="is the name of a table"):
        project.define_label("tx", "SELECT x FROM ev")
    with pytest.raises(DefinitionError, match="is a label"):
        project.define("uses", "SELECT y FROM only_label")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", "needs a horizon"),
        ("ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "back or ahead, not both"),
        ("ROWS BETWEEN 3 FOLLOWING AND 1 FOLLOWING", "the frame is empty"),
        ("ROWS BETWEEN 1 FOLLOWING AND CURRENT ROW", "two bounds, the nearer first"),
        ("ROWS_RANGE BETWEEN 1 FOLLOWING AND 30d FOLLOWING", "needs a unit"),
        ("ROWS 1 FOLLOWING", "two bounds, the nearer first"),
    ],
)
def test_frames_that_no_label_can_have(project: Any, frame: str, message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        project.define_label("bad", f"SELECT count(*) OVER w AS c FROM tx WINDOW w AS ({HISTORY} {frame})")
    assert caught.value.position is not None


@pytest.mark.parametrize(
    "call", ["count(*) OVER (w ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING)", "lead(x) OVER (w)"]
)
def test_a_view_cannot_look_ahead(project: Any, call: str) -> None:
    with pytest.raises(DefinitionError, match="rows of the future") as caught:
        project.define(
            "bad", f"SELECT {call.replace('w', HISTORY, 1) if '(w' in call else call} AS y FROM tx"
        )
    assert "define_label" in (caught.value.hint or "")


def test_other_sources_ahead(project: Any) -> None:
    label = project.define_label(
        "sources",
        f"SELECT n, list(n) OVER u AS both FROM tx "
        f"WINDOW u AS (UNION (SELECT at AS ts, k, v AS n FROM ev) {HISTORY} "
        "ROWS_RANGE BETWEEN 1h FOLLOWING AND 3h FOLLOWING MAXSIZE 4)",
    )
    tx, ev = stored(project, "tx"), stored(project, "ev")
    latest = min(max(row["time"] for row in rows) for rows in (tx, ev))
    expected = []
    for anchor in tx:
        if anchor["time"] + 3 * HOUR > latest:
            continue
        own = [
            (row["time"], 0, row["__seq"], row["n"])
            for row in within(ahead(True, tx, anchor), anchor, HOUR, 3 * HOUR)
        ]
        other = [
            (row["time"], 1, row["__seq"], row["v"])
            for row in ev
            if row["k"] == anchor["k"] and HOUR <= row["time"] - anchor["time"] <= 3 * HOUR
        ]
        expected.append((anchor["n"], [value for *_, value in sorted([*own, *other])[:4]] or None))
    got = [(row["n"], row["both"]) for row in label.offline().to_pyarrow().to_pylist()]
    assert got == expected


def test_later_rows_have_the_columns_that_a_subquery_or_join_gives_them(project: Any) -> None:
    label = project.define_label(
        "computed",
        "SELECT n, list(c) OVER w AS counts FROM (SELECT n, k, ts, count(*) OVER b AS c FROM tx "
        f"WINDOW b AS ({HISTORY})) WINDOW w AS ({HISTORY} ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING)",
    )
    tx = stored(project, "tx")
    counts = {
        row["n"]: 1
        + len([o for o in tx if o["k"] == row["k"] and (o["time"], o["__seq"]) < (row["time"], row["__seq"])])
        for row in tx
    }
    expected = [
        (row["n"], [counts[later["n"]] for later in own[:2]])
        for row in tx
        if len(own := ahead(True, tx, row)) >= 2
    ]
    got = [(row["n"], row["counts"]) for row in label.offline().to_pyarrow().to_pylist()]
    assert got == expected


def test_a_label_may_name_a_view_and_have_parameters(project: Any) -> None:
    project.define("small", "SELECT n, k, ts FROM tx WHERE x < 5")
    label = project.define_label(
        "of_view",
        f"SELECT n, sum(n) FILTER (WHERE n > :least) OVER w AS s FROM small WINDOW w AS ({HISTORY} "
        "ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING)",
        params={"least": 3},
    )
    tx = [row for row in stored(project, "tx") if row["x"] is not None and row["x"] < 5]
    expected = [
        (row["n"], total([later for later in own[:2] if later["n"] > 3], "n"))
        for row in tx
        if len(own := ahead(True, tx, row)) >= 2
    ]
    assert [(row["n"], row["s"]) for row in label.offline().to_pyarrow().to_pylist()] == expected
    project.drop_view("small")
