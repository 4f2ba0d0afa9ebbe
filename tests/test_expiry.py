"""Physical expiry: rows go that nobody can see any more, and no answer changes by it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import workbench as wb
from workbench.catalog.expiry import horizons
from workbench.errors import RowError, WorkbenchError
from workbench.project import Project

HOUR = timedelta(hours=1)
SQL = """
SELECT tx.card AS card, count(*) OVER w AS n, sum(tx.amount) OVER w AS total, min(tx.ts) OVER w AS first,
    s.level AS level
FROM tx LAST JOIN states s ON tx.card = s.card
WINDOW w AS (PARTITION BY tx.card ORDER BY tx.ts ROWS_RANGE BETWEEN 23h PRECEDING AND CURRENT ROW)
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    opened = wb.open(tmp_path / "project")
    yield opened
    opened.storage.close()


def newest() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


def fill(project: Project, rng: random.Random, now: datetime, keep: str | None = "48h") -> None:
    """Two weeks of rows in several parts of mixed times, and some in the log."""
    for name, columns in (("tx", {"amount": "DOUBLE"}), ("states", {"level": "BIGINT"})):
        spec = {"card": "BIGINT", "ts": "TIMESTAMP", **columns}
        project.create_table(name, spec, time="ts", ttl="24h", keep=keep)
        for part in range(6):
            rows = [
                {
                    "card": rng.randrange(4),
                    "ts": now
                    - timedelta(seconds=rng.randrange(14 * 86_400) if part else rng.randrange(7200)),
                    next(iter(columns)): rng.randrange(100),
                }
                for _ in range(60)
            ]
            project.table(name).append(rows)
            if part < 5:
                project.storage.flush(name)
        project.table(name).append(
            [{"card": n, "ts": now - 200 * HOUR, next(iter(columns)): 1} for n in range(4)]
        )


def answers(project: Project, times: list[datetime]) -> tuple[list[Any], list[Any]]:
    """The same rows asked and in bulk."""
    view = project.view("v")
    rows = [{"card": n % 4, "amount": 1.0, "ts": time} for n, time in enumerate(times)]
    return [view.request(row) for row in rows], view.offline(spine=rows).to_pyarrow().to_pylist()


def test_no_answer_changes(project: Project) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    now = newest()
    fill(project, rng, now)
    view = project.define("v", SQL)
    # keep is 48 hours: whoever is at most 24 hours behind the newest row sees everything that is theirs
    times = [now - timedelta(seconds=rng.randrange(23 * 3600)) for _ in range(40)]
    before = answers(project, times)
    assert before[0] == before[1]
    stored = view.offline(where=f"ts >= TIMESTAMP '{now - 23 * HOUR}'").to_pyarrow()
    pinned = project.storage.snapshot()
    rows = project.table("tx").count()
    for name, horizon in horizons(project.storage).items():
        project.storage.expire(name, horizon)
    assert answers(project, times) == before
    project.storage.flush()
    assert answers(project, times) == before
    for name in ("tx", "states"):
        project.table(name).compact()
    stats = project.table("tx").stats()
    assert 0 < stats.rows < rows and stats.parts == 1
    assert stats.expired_rows == rows - stats.rows
    assert stats.expired_before is not None and stats.first_time is not None
    assert stats.first_time >= stats.expired_before > now - timedelta(hours=49)
    assert answers(project, times) == before
    assert view.offline(where=f"ts >= TIMESTAMP '{now - 23 * HOUR}'").to_pyarrow() == stored
    with project.storage.connect() as connection:
        relation = pinned.relation(connection, "tx")
        assert connection.execute(f"SELECT count(*) FROM {relation}").fetchone() == (rows,)
    pinned.close()


def test_times_of_which_rows_are_gone_are_refused_or_left_out(project: Project) -> None:
    now = newest()
    fill(project, random.Random(1), now)
    view = project.define("v", SQL)
    old = {"card": 1, "amount": 1.0, "ts": now - 30 * HOUR}
    assert view.request(old)
    project.table("tx").compact()
    with pytest.raises(RowError, match="rows are missing that have expired"):
        view.request(old)
    with pytest.warns(UserWarning, match="rows that they should see have expired"):
        view.offline(spine=[old]).to_pyarrow()
    shown = view.offline(where="true").to_pyarrow()
    assert 0 < shown.num_rows < project.table("tx").count()


def test_old_data_sets_stay(project: Project) -> None:
    """Time is that of the newest row where the clock is later: loading last year's rows loses nothing by itself."""
    then = datetime(2020, 1, 1)
    rows = pa.table({"card": [1] * 40, "ts": [then + n * 24 * HOUR for n in range(40)]})
    project.create_table("tx", rows, time="ts", ttl="24h")
    assert project.table("tx").compact().rows == 32  # 24 hours, and 30 days of slack for training sets
    project.create_table("kept", rows, time="ts", ttl="24h", keep="400d")
    assert project.table("kept").compact().rows == 40
    project.create_table("forever", rows, time="ts")
    assert project.table("forever").compact().rows == 40


def test_rows_that_a_view_reaches_through_another_stay(project: Project) -> None:
    now = newest()
    rows = pa.table({"card": [1] * 80, "ts": [now - n * HOUR for n in range(80)], "amount": [1.0] * 80})
    project.create_table("tx", rows, time="ts", ttl="24h", keep="24h")
    project.define(
        "inner_view",
        "SELECT card, ts, count(*) OVER w AS n FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts "
        "ROWS_RANGE BETWEEN 24h PRECEDING AND CURRENT ROW)",
    )
    alone = horizons(project.storage)["tx"]
    project.define(
        "outer_view",
        "SELECT card, sum(n) OVER w AS s FROM inner_view WINDOW w AS (PARTITION BY card ORDER BY ts "
        "ROWS_RANGE BETWEEN 24h PRECEDING AND CURRENT ROW)",
    )
    assert horizons(project.storage)["tx"] == alone - 24 * 3_600_000_000


@pytest.mark.parametrize(
    ("options", "message"),
    [({"keep": "1d"}, "not visible any more"), ({"ttl": "2d", "keep": "1d"}, "not visible any more")],
)
def test_keep_is_about_ttl(project: Project, options: dict[str, str], message: str) -> None:
    with pytest.raises(WorkbenchError, match=message):
        project.create_table("tx", {"card": "BIGINT", "ts": "TIMESTAMP"}, time="ts", **options)  # type: ignore[arg-type]
