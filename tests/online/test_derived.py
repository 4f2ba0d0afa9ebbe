"""Requests of plans that stand on other plans, against plain Python: derived sources, derived anchors, nested ones."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import workbench
from workbench.online import Engine, index_needs
from workbench.online.engine import FILTERED, FILTERED_BELOW
from workbench.plan import expr as e
from workbench.plan.model import Aggregate, Feature, FeaturePlan, Frame, Key, Lookup, Source, Window

HOUR = timedelta(hours=1)
START = datetime(2024, 1, 1)
FIVE_HOURS = Frame("range", 5 * 3_600_000_000, 0)
Row = dict[str, Any]

#: Each payment with the score that its card had then.
SCORED = """SELECT tx.id, tx.k, tx.ts AS "at", tx.x, newest.y AS score
    FROM tx LAST JOIN ev AS newest ON newest.k = tx.k"""
#: Each event with how many of its key there were in the five hours before.
COUNTED = """SELECT k, ts AS "at", y, count(*) OVER (PARTITION BY k ORDER BY ts
    ROWS_RANGE BETWEEN 5h PRECEDING AND CURRENT ROW) AS n FROM ev"""


def made(dice: random.Random, count: int) -> list[Row]:
    return [
        {
            "id": i,
            "k": dice.choice([1, 2, None]),
            "ts": START + dice.randint(0, 30) * HOUR,
            "x": dice.randint(0, 9),
        }
        for i in range(count)
    ]


def column(name: str, kind: str, source: str = e.ROW) -> e.Column:
    return e.Column(source, name, kind)


def over(source: Source, history: bool, frame: Frame = FIVE_HOURS, **options: Any) -> Window:
    keys = (Key("k", column("k", "BIGINT", e.ANCHOR)),)
    at = column(options.pop("time", "at"), "TIMESTAMP", e.ANCHOR)
    return Window("w", source, history, keys, "at", at, frame, **options)


def listed(name: str, kind: str) -> Aggregate:
    return Aggregate(f"list_{name}", "w", "list", (column(name, kind),), f"{kind}[]")


def outputs(plan: FeaturePlan) -> tuple[Feature, ...]:
    made = [Feature("id", column("id", "BIGINT", e.ANCHOR), "BIGINT")]
    made += [Feature(a.name, e.AggregateRef(a.name, a.type), a.type) for a in plan.aggregates]
    return tuple(made)


class World:
    """Two tables, and what plain Python knows of them."""

    def __init__(self, path: Path, seed: int) -> None:
        dice = random.Random(seed)
        self.tx = made(dice, 40)
        self.ev = [{"k": r["k"], "ts": r["ts"], "y": r["x"]} for r in made(dice, 30)]
        self.project = workbench.open(path)
        self.project.create_table("ev", self.ev[:20], time="ts")
        self.project.create_table("tx", self.tx[:30], time="ts").append(self.tx[30:])
        self.project.table("ev").append(self.ev[20:])

    def plan(self, sql: str) -> FeaturePlan:
        return self.project.define("below", sql).plan

    def ask(self, plan: FeaturePlan) -> list[Any]:
        """The answers to all stored rows at their positions, in a batch and one by one."""
        plan = FeaturePlan.from_json(plan.to_json())
        for spec, columns in index_needs(plan):
            self.project.storage.ensure_index(spec, columns, live=False)
        engine = Engine(self.project.storage, plan)
        cut = self.project.storage.last_seq()
        with self.project.storage.snapshot() as snapshot, self.project.storage.connect() as connection:
            names = ", ".join(["__seq", *plan.request_columns])
            relation = snapshot.relation(connection, plan.table)
            rows = connection.execute(f"SELECT {names} FROM {relation} ORDER BY __seq").to_arrow_table()
        seqs = rows.column("__seq").to_pylist()
        rows = rows.drop_columns(["__seq"])
        together = engine.replay(rows, seqs, cut)
        alone = [engine.replay(rows.slice(i, 1), [seq], cut)[0] for i, seq in enumerate(seqs)]
        assert together == alone
        return together

    def score(self, i: int) -> Any:
        row = self.tx[i]
        seen = [
            (x["ts"], j)
            for j, x in enumerate(self.ev)
            if x["k"] == row["k"] is not None and x["ts"] <= row["ts"]
        ]
        return self.ev[max(seen)[1]]["y"] if seen else None

    def count(self, j: int) -> int:
        row = self.ev[j]
        return 1 + sum(
            x["k"] == row["k"] and row["ts"] - 5 * HOUR <= x["ts"] and (x["ts"], i) < (row["ts"], j)
            for i, x in enumerate(self.ev)
        )

    def before(self, i: int) -> list[int]:
        """Places of the payments in five hours before a payment and of itself, in order."""
        row = self.tx[i]
        seen = [
            (x["ts"], j)
            for j, x in enumerate(self.tx)
            if x["k"] == row["k"] and row["ts"] - 5 * HOUR <= x["ts"] and (x["ts"], j) <= (row["ts"], i)
        ]
        return [j for _, j in sorted(seen)]

    def events(self, i: int) -> list[int]:
        row = self.tx[i]
        seen = [
            (x["ts"], j)
            for j, x in enumerate(self.ev)
            if x["k"] == row["k"] is not None and x["ts"] <= row["ts"]
        ]
        return [j for _, j in sorted(seen)]


@pytest.fixture(params=range(2))
def world(tmp_path: Path, request: pytest.FixtureRequest) -> World:
    return World(tmp_path, request.param)


def scored(below: FeaturePlan, frame: Frame = FIVE_HOURS) -> FeaturePlan:
    source = Source("tx", "at", own=True, rows=below)
    plan = FeaturePlan(
        table="tx",
        time="at",
        anchor_columns=(("at", "TIMESTAMP"), ("id", "BIGINT"), ("k", "BIGINT"), ("score", "BIGINT")),
        where=None,
        lookups=(),
        windows=(over(source, True, frame),),
        aggregates=(listed("score", "BIGINT"),),
        outputs=(),
        rows=below,
    )
    return msgspec.structs.replace(plan, outputs=outputs(plan))


def test_a_history_of_joined_rows(world: World) -> None:
    answers = world.ask(scored(world.plan(SCORED)))
    assert [a.features for a in answers] == [
        {"id": i, "list_score": [world.score(j) for j in world.before(i)]} for i in range(40)
    ]


@pytest.mark.parametrize("frame", [FIVE_HOURS, Frame("rows", 2, 0)], ids=["range", "rows"])
def test_rows_that_the_plan_below_leaves_out_are_not_there(world: World, frame: Frame) -> None:
    answers = world.ask(scored(world.plan(SCORED + " WHERE newest.y > 4"), frame))
    for i, answer in enumerate(answers):
        score = world.score(i)
        if score is None or score <= 4:
            assert (answer.features, answer.reason) == (None, FILTERED_BELOW)
            continue
        scores = [world.score(j) for j in world.before(i)]
        if frame.unit == "rows":
            rows = sorted(
                (x["ts"], j) for j, x in enumerate(world.tx)
                if x["k"] == world.tx[i]["k"] and (x["ts"], j) <= (world.tx[i]["ts"], i)
            )  # fmt: skip
            scores = [world.score(j) for _, j in rows]
        kept = [s for s in scores if s is not None and s > 4]
        assert answer.features == {"id": i, "list_score": kept[-3:] if frame.unit == "rows" else kept}


@pytest.mark.parametrize("where", ["", " WHERE y > 4"], ids=["all", "filtered"])
def test_a_window_and_a_join_onto_counted_rows(world: World, where: str) -> None:
    below = world.plan(COUNTED + where)
    source = Source("ev", "at", rows=below)
    names = (("id", "BIGINT"), ("k", "BIGINT"), ("ts", "TIMESTAMP"))
    newest = Lookup(
        "newest", source, (Key("k", column("k", "BIGINT", e.ANCHOR)),), "at", (("n", column("n", "BIGINT")),)
    )
    plan = FeaturePlan(
        table="tx",
        time="ts",
        anchor_columns=names,
        where=None,
        lookups=(newest,),
        windows=(over(source, False, Frame("rows", 3, 0), time="ts"),),
        aggregates=(listed("n", "BIGINT"),),
        outputs=(),
    )
    found = Feature("newest", column("n", "BIGINT", "newest"), "BIGINT")
    answers = world.ask(msgspec.structs.replace(plan, outputs=(*outputs(plan), found)))
    for i, answer in enumerate(answers):
        # A WHERE filters the history of windows beside it too.
        kept = [j for j in world.events(i) if not where or world.ev[j]["y"] > 4]
        counts = [world.count(j) if not where else filtered_count(world, j) for j in kept]
        assert answer.features == {
            "id": i,
            "list_n": counts[-3:] or None,
            "newest": counts[-1] if counts else None,
        }


def filtered_count(world: World, j: int) -> int:
    row = world.ev[j]
    return 1 + sum(
        x["k"] == row["k"]
        and x["y"] > 4
        and row["ts"] - 5 * HOUR <= x["ts"]
        and (x["ts"], i) < (row["ts"], j)
        for i, x in enumerate(world.ev)
    )


def test_plans_on_plans_on_plans(world: World) -> None:
    """A history of histories of joined rows, with a WHERE in the middle."""
    middle = scored(world.plan(SCORED))
    passed = tuple(
        Feature(n, column(n, kind, e.ANCHOR), kind) for n, kind in middle.anchor_columns if n != "id"
    )
    long = Feature("long", e.Call("len", (e.AggregateRef("list_score", "BIGINT[]"),), "BIGINT"), "BIGINT")
    where = e.Op(">", (column("score", "BIGINT", e.ANCHOR), e.Literal("2", "INTEGER")), "BOOLEAN")
    middle = msgspec.structs.replace(middle, outputs=(middle.outputs[0], *passed, long), where=where)
    source = Source("tx", "at", own=True, rows=middle)
    top = FeaturePlan(
        table="tx",
        time="at",
        anchor_columns=(("at", "TIMESTAMP"), ("id", "BIGINT"), ("k", "BIGINT"), ("long", "BIGINT")),
        where=e.Op("<>", (column("long", "BIGINT", e.ANCHOR), e.Literal("2", "INTEGER")), "BOOLEAN"),
        lookups=(),
        windows=(over(source, True),),
        aggregates=(listed("long", "BIGINT"),),
        outputs=(),
        rows=middle,
    )
    answers = world.ask(msgspec.structs.replace(top, outputs=outputs(top)))
    kept = {i for i in range(40) if (world.score(i) or 0) > 2}
    long_of = {i: len(world.before(i)) for i in range(40)}
    for i, answer in enumerate(answers):
        if i not in kept:
            assert answer.reason == FILTERED_BELOW
        elif long_of[i] == 2:
            assert answer.reason == FILTERED
        else:
            assert answer.features == {
                "id": i,
                "list_long": [long_of[j] for j in world.before(i) if j in kept],
            }


def test_an_error_names_the_row_that_cannot_be_computed(world: World) -> None:
    failing = SCORED.replace(
        "newest.y AS score", "CAST(CASE WHEN tx.id = 33 THEN 'x' ELSE '1' END AS BIGINT) AS score"
    )
    plan = scored(world.plan(failing))
    for spec, columns in index_needs(plan):
        world.project.storage.ensure_index(spec, columns, live=False)
    wrong = world.tx[33]
    asked = {"id": 50, "k": wrong["k"], "ts": wrong["ts"], "x": 1}
    elsewhere = asked | {"ts": START + 60 * HOUR}
    engine = Engine(world.project.storage, plan)
    for answers in (
        engine.request([elsewhere, asked]),
        engine.request([elsewhere]) + engine.request([asked]),
    ):
        assert answers[0].features == {"id": 50, "list_score": [1]}
        assert answers[1].error is not None
        assert "row seq 54 of tx: a value cannot be computed" in answers[1].error.message
    engine.close()


def test_indexes_are_of_stored_columns(world: World) -> None:
    needs = {str(spec): columns for spec, columns in index_needs(scored(world.plan(SCORED)))}
    assert needs == {"tx(k; ts)": {"id", "k", "ts", "x"}, "ev(k; ts)": {"k", "ts", "y"}}
