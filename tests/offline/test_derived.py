"""Plans that stand on other plans in bulk: every path gives what requests give, which tests/online holds to Python."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pytest

from tests.online.test_derived import (
    COUNTED,
    FIVE_HOURS,
    SCORED,
    World,
    column,
    listed,
    outputs,
    over,
    scored,
)
from workbench.offline import OfflineFeatures
from workbench.offline.why import why
from workbench.online import Engine
from workbench.plan import expr as e
from workbench.plan.model import Aggregate, Feature, FeaturePlan, Frame, Key, Lookup, Source, Union, Window
from workbench.plan.plain_sql import plain_sql


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(Path(tmp_path_factory.mktemp("derived")), 0)


def joined(below: FeaturePlan, **options: Any) -> FeaturePlan:
    """The newest row of a derived source, and a window over it alone."""
    source = Source("ev", "at", rows=below, **options)
    keys = (Key("k", column("k", "BIGINT", e.ANCHOR)),)
    plan = FeaturePlan(
        table="tx",
        time="ts",
        anchor_columns=(("id", "BIGINT"), ("k", "BIGINT"), ("ts", "TIMESTAMP")),
        where=None,
        lookups=(Lookup("newest", source, keys, "at", (("n", column("n", "BIGINT")),)),),
        windows=(over(source, False, time="ts"),),
        aggregates=(listed("n", "BIGINT"), total("n")),
        outputs=(),
    )
    found = Feature("newest", column("n", "BIGINT", "newest"), "BIGINT")
    return msgspec.structs.replace(plan, outputs=(*outputs(plan), found))


def total(name: str) -> Aggregate:
    return Aggregate(f"sum_{name}", "w", "sum", (column(name, "BIGINT"),), "BIGINT", cast=True)


def united(below: FeaturePlan, events: FeaturePlan) -> FeaturePlan:
    """A history of computed rows with the rows of another computed source in it."""
    plan = scored(below)
    union = (
        ("at", column("at", "TIMESTAMP")), ("k", column("k", "BIGINT")), ("score", column("n", "BIGINT"))
    )  # fmt: skip
    window = msgspec.structs.replace(plan.windows[0], union=(Union(Source("ev", "at", rows=events), union),))
    return msgspec.structs.replace(plan, windows=(window,))


def stacked(middle: FeaturePlan) -> FeaturePlan:
    """A history of histories, with a WHERE in the middle and one on top."""
    passed = tuple(
        Feature(n, column(n, kind, e.ANCHOR), kind) for n, kind in middle.anchor_columns if n != "id"
    )
    long = Feature("long", e.Call("len", (e.AggregateRef("list_score", "BIGINT[]"),), "BIGINT"), "BIGINT")
    middle = msgspec.structs.replace(
        middle, outputs=(middle.outputs[0], *passed, long), where=compare(">", "score", 2)
    )
    top = FeaturePlan(
        table="tx",
        time="at",
        anchor_columns=(("at", "TIMESTAMP"), ("id", "BIGINT"), ("k", "BIGINT"), ("long", "BIGINT")),
        where=compare("<>", "long", 2),
        lookups=(),
        windows=(over(Source("tx", "at", own=True, rows=middle), True),),
        aggregates=(listed("long", "BIGINT"),),
        outputs=(),
        rows=middle,
    )
    return msgspec.structs.replace(top, outputs=outputs(top))


def compare(op: str, name: str, value: int) -> e.Expr:
    return e.Op(op, (column(name, "BIGINT", e.ANCHOR), e.Literal(str(value), "INTEGER")), "BOOLEAN")


def constant(below: FeaturePlan) -> FeaturePlan:
    """``list(x + score)`` where the score is the anchor's: rows and requests need not be computed for the history."""
    source = Source("tx", "ts", own=True)
    window = Window(
        *("w", source, True),
        *(
            (Key("k", column("k", "BIGINT", e.ANCHOR)),),
            "ts",
            column("at", "TIMESTAMP", e.ANCHOR),
            FIVE_HOURS,
        ),
    )
    added = e.Op("+", (column("x", "BIGINT"), column("score", "BIGINT", e.ANCHOR)), "BIGINT")
    renamed = (*below.outputs, Feature("ts", column("ts", "TIMESTAMP", e.ANCHOR), "TIMESTAMP"))
    below = msgspec.structs.replace(below, outputs=renamed)
    names = (("at", "TIMESTAMP"), ("id", "BIGINT"), ("k", "BIGINT"), ("score", "BIGINT"), ("x", "BIGINT"))
    plan = FeaturePlan(
        table="tx",
        time="at",
        anchor_columns=(*names, ("ts", "TIMESTAMP")),
        where=None,
        lookups=(),
        windows=(window,),
        aggregates=(Aggregate("added", "w", "list", (added,), "BIGINT[]"),),
        outputs=(),
        rows=below,
    )
    return msgspec.structs.replace(plan, outputs=outputs(plan))


def by_arrival(own: bool, frame: Frame, rows: FeaturePlan | None = None) -> FeaturePlan:
    """A window without ORDER BY, over the anchor's history or another table."""
    source = Source("tx", "at" if rows else "ts", own=True, rows=rows) if own else Source("ev", "ts")
    value = "score" if rows else "x" if own else "y"
    window = Window(
        "w", source, own, (Key("k", column("k", "BIGINT", e.ANCHOR)),), None, None, frame
    )  # fmt: skip
    names = {"id": "BIGINT", "k": "BIGINT", "at" if rows else "ts": "TIMESTAMP", value: "BIGINT"}
    plan = FeaturePlan(
        table="tx",
        time="at" if rows else "ts",
        anchor_columns=tuple((n, k) for n, k in names.items() if own or n != "y"),
        where=None,
        lookups=(),
        windows=(window,),
        aggregates=(listed(value, "BIGINT"), total(value)),
        outputs=(),
        rows=rows,
    )
    return msgspec.structs.replace(plan, outputs=outputs(plan))


def filtering(where: str) -> str:
    return f"{SCORED} WHERE {where}"


PLANS = {
    "history": lambda w: scored(w.plan(SCORED)),
    "history of the last rows": lambda w: scored(w.plan(SCORED), Frame("rows", 2, 0)),
    "filtered history": lambda w: scored(w.plan(filtering("newest.y > 4"))),
    "filtered rows": lambda w: scored(w.plan(filtering("newest.y > 4")), Frame("rows", 2, 1)),
    "joined": lambda w: joined(w.plan(COUNTED)),
    "joined, filtered": lambda w: joined(w.plan(f"{COUNTED} WHERE y > 4")),
    "joined, late and short-lived": lambda w: joined(
        w.plan(COUNTED), delay=2 * 3_600_000_000, ttl=4 * 3_600_000_000
    ),
    "united": lambda w: united(w.plan(SCORED), w.plan(COUNTED)),
    "stacked": lambda w: stacked(scored(w.plan(SCORED))),
    "constant": lambda w: constant(w.plan(SCORED)),
    "history by arrival": lambda w: by_arrival(True, Frame("range", None, 0)),
    "last arrivals": lambda w: by_arrival(True, Frame("rows", 2, 1)),
    "arrivals of another table": lambda w: by_arrival(False, Frame("rows", 3, 1)),
    "computed rows by arrival": lambda w: by_arrival(True, Frame("rows", 3, 0), w.plan(SCORED)),
}  # fmt: skip


@pytest.fixture(scope="module", params=PLANS)
def case(world: World, request: pytest.FixtureRequest) -> tuple[World, FeaturePlan, dict[int, Any]]:
    """A plan with the answers of requests, by the row's id."""
    plan = PLANS[request.param](world)
    answers = world.ask(plan)
    assert all(answer.error is None for answer in answers)
    return world, plan, {i: a.features for i, a in enumerate(answers) if a.features is not None}


def by_id(rows: pa.Table) -> dict[int, Any]:
    return {row["id"]: row for row in rows.to_pylist()}


def test_stored_rows(case: Any) -> None:
    world, plan, expected = case
    offline = OfflineFeatures(world.project.storage, plan)
    assert expected
    assert by_id(offline.stored().to_pyarrow()) == expected
    some = by_id(offline.stored("a.id % 3 = 1").to_pyarrow())
    assert some == {i: features for i, features in expected.items() if i % 3 == 1}


def test_some_rows_by_arrival_and_in_a_preview(case: Any) -> None:
    world, plan, expected = case
    offline = OfflineFeatures(world.project.storage, plan)
    cut = world.project.storage.last_seq()
    seqs = {22 + i if i < 30 else 42 + i - 30 + 10: i for i in range(40)}
    rows = offline.at(list(seqs), cut).to_pyarrow()
    assert by_id(rows.drop_columns(["__seq"])) == {i: expected[i] for i in by_id(rows)}
    shown = by_id(offline.preview(7).to_pyarrow())
    assert shown == {i: expected[i] for i in shown}


def test_a_spine(case: Any) -> None:
    """Stored rows by their arrival, and new rows as requests answer them."""
    world, plan, _ = case
    new = [{**row, "id": 100 + i} for i, row in enumerate(world.tx[::5])]
    engine = Engine(world.project.storage, plan)
    asked = {row["id"]: answer.features for row, answer in zip(new, engine.request(new), strict=True)}
    engine.close()
    got = by_id(OfflineFeatures(world.project.storage, plan).spine(new).to_pyarrow())
    assert got == {i: features for i, features in asked.items() if features is not None}


def test_plain_sql(case: Any) -> None:
    world, plan, expected = case
    kinds = {
        "tx": {"id": "BIGINT", "k": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"},
        "ev": {"k": "BIGINT", "ts": "TIMESTAMP", "y": "BIGINT"},
    }
    with duckdb.connect() as connection:
        for name, rows in (("tx", world.tx), ("ev", world.ev)):
            given = pa.Table.from_pylist(rows)  # noqa: F841
            columns = ", ".join(f"{column}::{kind} AS {column}" for column, kind in kinds[name].items())
            connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM given")
        got = by_id(connection.execute(plain_sql(plan, kinds)).to_arrow_table())
    assert got == expected


def test_why(case: Any) -> None:
    world, plan, _ = case
    offline = OfflineFeatures(world.project.storage, plan)
    rows = offline.stored(carry=("__seq",)).to_pyarrow().to_pylist()
    for row in rows[:: max(1, len(rows) // 3)]:
        for feature in list(plan.features)[1:]:
            found = why(world.project.storage, plan, row["__seq"], feature)
            assert found.value == row[feature]
            assert found.evidence and found.evidence[0].what in repr(found)
