"""What a view says of itself, and how drafts become versions when several people define it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import ibis
import pytest

import workbench
from tests import shop
from workbench.errors import DefinitionError, NotFound, RowError

FIRST, SECOND = "SELECT id, n + 1 AS m FROM tx", "SELECT id, n + 2 AS m FROM tx"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("views") / "shop")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = workbench.open(tmp_path / "project")
    project.create_table("tx", {"ts": "TIMESTAMP", "id": "BIGINT", "n": "BIGINT"}, time="ts")
    project.table("tx").append([{"ts": datetime(2024, 1, 1), "id": 1, "n": 10}])
    return project.path


def test_what_a_view_is(project: Any) -> None:
    view = project.define("features", shop.VIEW)
    assert (view.name, view.anchor, view.dialect, view.sql) == ("features", "tx", "workbench", shop.VIEW)
    assert view.version is None
    assert view.schema == {
        "id": "BIGINT", "cnt": "BIGINT", "total": "DOUBLE", "best": "BIGINT", "limit_": "DOUBLE",
    }  # fmt: skip
    assert view.request_schema == {"ts": "TIMESTAMP", "id": "BIGINT", "card": "VARCHAR", "amount": "DOUBLE"}
    assert repr(view) == "<View features (draft): 5 features of tx>"
    assert "(version 1)" in repr(view.save())
    assert view.explain().startswith("anchor: tx, as of ts")
    lineage = {item.feature: item for item in view.lineage()}
    assert list(lineage) == list(view.schema)
    assert "logins" in str(lineage["best"]) and "score" in str(lineage["best"])


def test_a_view_is_found_again_by_name_in_any_case(project: Any) -> None:
    project.define("Named", FIRST)
    assert project.view("Named").sql == project.view("named").sql == FIRST
    with pytest.raises(NotFound, match="nmed"):
        project.view("nmed")


def test_a_request_is_one_row_at_a_time(project: Any) -> None:
    view = project.define("features", shop.VIEW)
    row = {"id": 1, "card": "a", "amount": 1.0}
    at = view.request(row, as_of="2024-01-01T05:00:00Z")
    assert (
        at
        == view.request(row, as_of=datetime(2024, 1, 1, 5))
        == view.request({**row, "ts": "2024-01-01T05:00:00Z"})
    )
    assert at["cnt"] > view.request(row)["cnt"] == 1
    for wrong in ([row], "row", None):
        with pytest.raises(RowError, match="a request is one row"):
            view.request(wrong)
    for time in ("yesterday", 5, datetime(2024, 1, 1).date()):
        with pytest.raises(RowError, match="as_of is not a time"):
            view.request(row, as_of=time)


def test_a_view_may_be_an_ibis_expression(project: Any) -> None:
    tx = ibis.table({"id": "int64", "n": "int64"}, name="tx")
    view = project.define("from_ibis", tx.filter(tx.n > 3).select("id", m=tx.n + 1))
    assert view.plan == project.define("from_text", "SELECT id, n + 1 AS m FROM tx WHERE n > 3").plan
    assert project.define("again", view.sql).plan == view.plan and view.check().ok
    assert project.view("from_ibis").request({"id": 1, "n": 4}) == {"id": 1, "m": 5}


# -- drafts and versions


def test_a_draft_is_overwritten_and_a_version_stays(folder: Path) -> None:
    project = workbench.open(folder)
    project.define("v", FIRST)
    project.define("v", SECOND)
    assert project.view("v").sql == SECOND and project.view("v").version is None
    assert project.view("v").save().version == 1
    assert project.define("v", FIRST).version is None
    assert project.view("v", version=1).sql == SECOND
    with pytest.raises(NotFound, match="no version 2"):
        project.view("v", version=2)


def test_equal_plans_are_one_version(folder: Path) -> None:
    project = workbench.open(folder)
    assert project.define("v", FIRST).save().version == 1
    again = project.define("v", "-- the same\n" + FIRST.lower().replace("as m", "AS m"))
    assert again.version == 1 and again.save().version == 1
    assert project.define("v", SECOND).save().version == 2
    assert project.define("v", FIRST).save().version == 1, "an earlier plan is its earlier version"


def test_a_view_object_saves_what_it_is_whatever_became_of_the_draft(folder: Path) -> None:
    mine, theirs = workbench.open(folder), workbench.open(folder)
    my_view = mine.define("v", FIRST)
    their_view = theirs.define("v", SECOND)
    assert my_view.request({"id": 1, "n": 1}) == {"id": 1, "m": 2}
    assert mine.view("v").sql == SECOND, "the last definition is the draft"
    saved = my_view.save()
    assert (saved.version, saved.sql) == (1, FIRST)
    assert saved.request({"id": 1, "n": 1}) == {"id": 1, "m": 2}
    their_saved = their_view.save()
    assert (their_saved.version, their_saved.sql) == (2, SECOND)
    assert mine.view("v", 1).sql == FIRST and mine.view("v", 2).sql == SECOND


def test_saving_an_older_draft_leaves_the_newer_one_as_the_draft(folder: Path) -> None:
    mine, theirs = workbench.open(folder), workbench.open(folder)
    my_view = mine.define("v", FIRST)
    theirs.define("v", SECOND)
    my_view.save()
    assert theirs.view("v").sql == SECOND and theirs.view("v").version is None


def test_a_dropped_view_cannot_be_used_by_name(folder: Path) -> None:
    project = workbench.open(folder)
    project.define("v", FIRST).save()
    project.drop_view("v")
    assert project.list_views() == []
    with pytest.raises(NotFound):
        project.view("v")
    with pytest.raises(NotFound):
        project.drop_view("v")
    old = project.define("v", SECOND)
    assert old.save().version == 1
    project.drop_view("v")
    with pytest.raises(NotFound, match="no view 'v' any more"):
        old.save()


def test_a_query_that_is_refused_keeps_the_draft(folder: Path) -> None:
    project = workbench.open(folder)
    project.define("v", FIRST)
    with pytest.raises(DefinitionError):
        project.define("v", "SELECT nothing FROM tx")
    assert project.view("v").sql == FIRST


# -- lint

W = "WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)"
BOUNDED = f"SELECT count(*) OVER w AS c FROM tx {W}"
LINT = [
    ("static-anchor", "SELECT limit_ FROM cards", "SELECT amount FROM tx"),
    (
        "static-join",
        "SELECT limit_ FROM tx LAST JOIN cards ON tx.card = cards.card",
        "SELECT device FROM tx LAST JOIN logins ON tx.card = logins.card",
    ),
    ("unbounded-window", "SELECT count(*) OVER (PARTITION BY card ORDER BY ts) AS c FROM tx", BOUNDED),
    (
        "unbounded-window",
        "SELECT count(*) OVER (PARTITION BY card ORDER BY ts ROWS UNBOUNDED PRECEDING) AS c FROM tx",
        "SELECT count(*) OVER (PARTITION BY card ORDER BY ts MAXSIZE 9) AS c FROM tx",
    ),
    (
        "order-not-time",
        "SELECT count(*) OVER (PARTITION BY card ORDER BY n RANGE 5 PRECEDING) AS c FROM tx",
        BOUNDED,
    ),
    ("integer-overflow", f"SELECT sum(n) OVER w AS s FROM tx {W}", f"SELECT sum(amount) OVER w AS s FROM tx {W}"),
    ("integer-overflow", f"SELECT sum(id * 2) OVER w AS s FROM tx {W}",
     f'SELECT sum("Odd Name") OVER w AS s FROM tx {W}'),
    ("null-keys", BOUNDED, BOUNDED.replace("PARTITION BY card", "PARTITION BY id")),
    ("null-keys", "SELECT limit_ FROM tx LAST JOIN cards ON tx.card = cards.card", "SELECT amount FROM tx"),
    ("ties", BOUNDED, BOUNDED.replace("PARTITION BY card", "PARTITION BY id")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "bad", "good"), LINT)
def test_every_finding_has_its_case(project: Any, code: str, bad: str, good: str) -> None:
    found = [finding for finding in project.define("linted", bad).lint() if finding.code == code]
    assert len(found) == 1
    assert found[0].message and found[0].hint and f"[{code}]" in str(found[0])
    assert code not in [finding.code for finding in project.define("clean", good).lint()]


def test_spine_rows_that_are_stored_already_are_found(project: Any) -> None:
    view = project.define("linted", BOUNDED)
    stored = [{"ts": row["ts"], "card": row["card"]} for row in shop.TX_ROWS[:3]]
    (finding,) = [finding for finding in view.lint(spine=stored) if finding.code == "spine-row-stored"]
    assert finding.message.startswith("3 spine rows are stored in tx already")
    new = [{**row, "ts": datetime(2025, 1, 1)} for row in stored]
    with_seq = [{**row, "seq": 1} for row in stored]
    for spine in (None, new, with_seq):
        assert "spine-row-stored" not in [finding.code for finding in view.lint(spine=spine)]
    no_history = project.define("clean", "SELECT amount FROM tx")
    assert no_history.lint(spine=stored) == []
