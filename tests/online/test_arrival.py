"""Windows by arrival: own rows of a smaller seq, all rows of other tables; requests, bulk and plain Python agree."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import workbench
from workbench.offline import OfflineFeatures
from workbench.online import Engine, index_needs
from workbench.plan.model import FeaturePlan

START = datetime(2024, 1, 1)
Row = dict[str, Any]


class World:
    """Two tables whose rows arrive in no order of time: first 20 of ``ev``, then ``tx`` in two parts, then the rest."""

    def __init__(self, path: Path) -> None:
        dice = random.Random(5)

        def made(count: int) -> list[Row]:
            hours = [START + timedelta(hours=dice.randint(0, 30)) for _ in range(count)]
            return [{"id": i, "k": dice.choice([1, 2, None]), "ts": at, "x": i} for i, at in enumerate(hours)]

        self.tx, self.ev = made(30), made(30)
        self.project = workbench.open(path)
        self.project.create_table("ev", self.ev[:20], time="ts")
        self.project.create_table("tx", self.tx[:20], time="ts").append(self.tx[20:])
        self.project.table("ev").append(self.ev[20:])

    def both(self, sql: str) -> list[Row]:
        """The features of all rows where the view's windows are by arrival, the same on both sides."""
        plan = self.project.define("v", sql).plan
        plan = msgspec.structs.replace(
            plan,
            windows=tuple(msgspec.structs.replace(w, order=None, order_anchor=None) for w in plan.windows),
        )
        plan = FeaturePlan.from_json(plan.to_json())
        storage = self.project.storage
        for spec, columns in index_needs(plan):
            assert spec.order is None
            storage.ensure_index(spec, columns, live=False)
        offline = OfflineFeatures(storage, plan)
        found = offline.stored().to_pyarrow().to_pylist()
        engine, cut = Engine(storage, plan), storage.last_seq()
        anchors = offline.anchors(range(1, cut + 1), cut)
        seqs = anchors.column("__seq").to_pylist()
        rows = anchors.drop_columns(["__seq"])
        assert [a.features for a in engine.replay(rows, seqs, cut)] == found
        assert [
            engine.replay(rows.slice(i, 1), [seq], cut)[0].features for i, seq in enumerate(seqs)
        ] == found
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def of_key(rows: list[Row], key: int | None) -> list[int]:
    return [row["x"] for row in rows if row["k"] == key]


def test_own_rows_that_arrived_before(world: World) -> None:
    found = world.both("""SELECT id, list(x) OVER w AS last, list(x) OVER whole AS whole FROM tx
        WINDOW w AS (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW),
        whole AS (PARTITION BY k ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE CURRENT_ROW)""")
    for i, row in enumerate(world.tx):
        seen = of_key(world.tx[: i + 1], row["k"])
        assert found[i] == {"id": i, "last": seen[-3:], "whole": seen[:-1] or None}


def test_all_rows_of_another_table(world: World) -> None:
    found = world.both("""SELECT id, list(x) OVER w AS last FROM tx
        WINDOW w AS (FROM ev PARTITION BY k ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)""")
    for i, row in enumerate(world.tx):
        seen = of_key(world.ev, row["k"]) if row["k"] is not None else []
        assert found[i] == {"id": i, "last": seen[-3:] or None}


def test_of_several_tables_the_anchors_own_are_nearest(world: World) -> None:
    found = world.both("""SELECT id, list(x) OVER w AS last FROM tx
        WINDOW w AS (UNION ev PARTITION BY k ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW)""")
    for i, row in enumerate(world.tx):
        seen = of_key(world.ev, row["k"]) + of_key(world.tx[: i + 1], row["k"])
        assert found[i] == {"id": i, "last": seen[-5:]}


def test_a_request_sees_all_that_is_stored(world: World) -> None:
    plan = world.project.define("v", "SELECT count(*) OVER (PARTITION BY k ORDER BY ts) AS n FROM tx").plan
    windows = tuple(msgspec.structs.replace(w, order=None, order_anchor=None) for w in plan.windows)
    plan = msgspec.structs.replace(plan, windows=windows)
    for spec, columns in index_needs(plan):
        world.project.storage.ensure_index(spec, columns, live=False)
    answers = Engine(world.project.storage, plan).request([{"k": 1, "ts": START}, {"k": 2, "ts": START}])
    assert [a.features for a in answers] == [{"n": 1 + len(of_key(world.tx, key))} for key in (1, 2)]
