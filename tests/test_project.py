"""A project is one folder: every object on it sees the same tables, rows, views and drafts."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import workbench
from tests import shop
from workbench.catalog import deployments
from workbench.errors import Conflict, DefinitionError, NotFound, WorkbenchError

COLUMNS = {"ts": "TIMESTAMP", "k": "BIGINT", "v": "BIGINT"}
QUERY = "SELECT k, count(*) OVER w AS c, sum(v) OVER w AS s FROM t WINDOW w AS (PARTITION BY k ORDER BY ts)"


def row(hour: int, k: int = 1, v: int = 5) -> dict[str, Any]:
    return {"ts": datetime(2024, 1, 1, hour), "k": k, "v": v}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    project = workbench.open(tmp_path / "project")
    project.create_table("t", COLUMNS, time="ts").append([row(0), row(1), row(1, k=2)])
    return project.path


# -- opening


def test_a_project_is_made_where_there_is_none_and_opened_where_there_is(tmp_path: Path) -> None:
    project = workbench.open(tmp_path / "deep" / "flights")
    assert (project.name, project.path) == ("flights", tmp_path / "deep" / "flights")
    assert repr(project) == "<Project flights: 0 tables, 0 views>"
    project.create_table("t", COLUMNS, time="ts")
    assert workbench.open(str(tmp_path / "deep" / "flights")).list_tables() == ["t"]


def test_a_project_closes_and_opens_again(folder: Path) -> None:
    with workbench.open(folder) as project:
        view: Any = project.define("v", QUERY)
        assert view.request(row(5))["c"] == 3
    with workbench.open(folder) as project:
        view = project.view("v")
        assert view.request(row(5))["c"] == 3


def test_a_file_is_no_project(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(WorkbenchError):
        workbench.open(tmp_path / "file")


# -- two objects on one folder


def test_two_projects_on_a_folder_see_each_others_tables_and_rows_at_once(folder: Path) -> None:
    mine, theirs = workbench.open(folder), workbench.open(folder)
    view: Any = mine.define("v", QUERY)
    assert view.request(row(5))["c"] == 3
    theirs.table("t").append([row(2)])
    assert view.request(row(5))["c"] == 4
    assert len(view.offline()) == 4 and mine.table("t").count() == 4
    assert view.check().ok
    theirs.create_table("u", COLUMNS, time="ts")
    assert mine.list_tables() == ["t", "u"]
    mine.define("w", QUERY.replace("FROM t", "FROM u"))
    assert theirs.list_views() == ["v", "w"]
    theirs.drop_view("w")
    theirs.drop_table("u")
    assert mine.list_tables() == ["t"] and mine.list_views() == ["v"]
    with pytest.raises(DefinitionError, match="no table or view 'u'"):
        mine.define("w", QUERY.replace("FROM t", "FROM u"))


def test_a_deployment_serves_the_view_that_was_deployed_though_its_draft_was_overwritten(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = workbench.open(folder), workbench.open(folder)
    view: Any = mine.define("v", QUERY)
    theirs.define("v", QUERY.replace("sum(v)", "max(v)"))

    def meanwhile(*args: Any, **options: Any) -> None:
        theirs.define("v", QUERY.replace("sum(v)", "min(v)"))

    # No server is needed to see what would be served; another definition comes while one would start.
    monkeypatch.setattr("workbench.view.ensure_server", meanwhile)
    monkeypatch.setattr("workbench.view.wait_for_generation", lambda *args, **options: None)
    view.deploy()
    (served,) = deployments.current(mine.storage)
    assert (served.view, served.version, served.plan_json) == ("v", 1, view.plan.to_json())
    assert "min(v)" in mine.view("v").sql and mine.view("v").version is None
    with pytest.raises(Conflict, match="deployed"):
        mine.drop_view("v")
    assert [deployment.view for deployment in mine.deployments()] == ["v"]


# -- names


def test_tables_and_views_share_their_names(folder: Path) -> None:
    project: Any = workbench.open(folder)
    project.define("v", QUERY)
    with pytest.raises(Conflict, match="'T' is the name of a table"):
        project.define("T", QUERY)
    with pytest.raises(Conflict, match="'V' is the name of a view"):
        project.create_table("V", COLUMNS, time="ts")


@pytest.mark.parametrize("name", ["", "a b", "1st", "../x", "a" * 200, "select;"])
def test_a_name_that_cannot_stand_in_a_query_or_an_address_is_refused(folder: Path, name: str) -> None:
    project: Any = workbench.open(folder)
    with pytest.raises(WorkbenchError, match="name"):
        project.define(name, QUERY)
    with pytest.raises(WorkbenchError, match="name"):
        project.create_table(name, COLUMNS, time="ts")
    assert project.list_views() == [] and project.list_tables() == ["t"]


def test_what_is_not_there_is_named_with_what_is_close(folder: Path) -> None:
    project: Any = workbench.open(folder)
    project.define("risk", QUERY)
    for call, message in (
        (lambda: project.table("tt"), "'tt'"),
        (lambda: project.view("rsk"), "risk"),
        (lambda: project.drop_table("tt"), "'tt'"),
        (lambda: project.drop_view("rsk"), "risk"),
        (lambda: project.deployment("risk").version, "risk"),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert message in str(caught.value)


# -- tables in use


def test_a_table_that_a_view_uses_is_not_dropped(folder: Path) -> None:
    project: Any = workbench.open(folder)
    project.create_table("names", {"k": "BIGINT", "name": "VARCHAR"})
    project.define("v", QUERY).save()
    project.define("named", "SELECT name FROM t LAST JOIN names ON t.k = names.k")
    with pytest.raises(Conflict) as caught:
        project.drop_table("T")
    assert "'named'" in str(caught.value) and "'v'" in str(caught.value)
    with pytest.raises(Conflict, match="'named'"):
        project.drop_table("names")
    project.drop_view("named")
    project.drop_table("names")
    project.define("v", "SELECT k FROM t WHERE k > 1")
    with pytest.raises(Conflict, match="'v'"):
        project.drop_table("t")
    project.drop_view("v")
    project.drop_table("t")
    assert project.list_tables() == []


def test_a_view_of_a_dropped_table_says_so(folder: Path) -> None:
    project: Any = workbench.open(folder)
    view: Any = project.define("v", QUERY)
    project.drop_view("v")
    project.drop_table("t")
    for use in (lambda: view.request(row(5)), view.offline, view.preview, view.check, view.lint, view.to_sql):
        with pytest.raises(NotFound, match="no table 't'"):
            use()


def test_a_table_of_the_same_name_is_another_table(folder: Path) -> None:
    project: Any = workbench.open(folder)
    assert project.define("v", QUERY).request(row(5)) == {"k": 1, "c": 3, "s": 15}
    project.drop_view("v")
    project.drop_table("t")
    project.create_table("t", COLUMNS, time="ts").append([row(0, v=100)])
    view: Any = project.define("v", QUERY)
    assert view.request(row(5)) == {"k": 1, "c": 2, "s": 105}
    assert view.check().ok


def test_a_replaced_table_is_read_at_once(folder: Path) -> None:
    project: Any = workbench.open(folder)
    view: Any = project.define("v", QUERY)
    assert view.request(row(5))["s"] == 15
    frame = pd.DataFrame({"ts": [pd.Timestamp("2024-01-01")], "k": [1], "v": [100], "note": ["x"]})
    project.create_table("t", frame, time="ts", if_exists="replace")
    assert view.request(row(5)) == {"k": 1, "c": 2, "s": 105}
    assert view.request({**row(5), "note": "y"})["s"] == 105
    assert len(view.offline()) == 1 and view.check().ok


def test_a_shop_of_many_views_is_checked_and_dropped(tmp_path: Path) -> None:
    project = shop.open_shop(tmp_path / "shop")
    view: Any = project.define("features", shop.VIEW)
    assert view.check().ok
    project.storage.flush()
    assert view.check().ok, "from files as from the log"
    assert project.sql("SELECT count(*) AS c FROM tx").to_pandas()["c"].tolist() == [60]


def test_overwriting_a_draft_drops_the_indexes_that_no_latest_definition_needs(tmp_path: Path) -> None:
    opened = workbench.open(tmp_path)
    opened.create_table("tx", [{"k": 1, "m": 2, "ts": datetime(2024, 1, 1)}], time="ts")

    def by(*keys: str) -> Any:
        text = f"SELECT count(*) OVER (PARTITION BY {', '.join(keys)} ORDER BY ts) AS n FROM tx"
        return opened.define("view", text)

    def kept() -> list[tuple[str, ...]]:
        return [index.spec.keys for index in opened.storage.indexes()]

    row = {"k": 1, "m": 2}
    by_k = by("k").save()
    assert by_k.request(row) == {"n": 2} and kept() == [("k",)]
    by_m = by("m")
    assert kept() == []
    assert by_m.request(row) == {"n": 2} and kept() == [("m",)]
    assert by("m").request(row) == {"n": 2} and kept() == [("m",)]
    assert by_k.request(row) == {"n": 2}, "an old version gets its indexes anew"
    assert by("k", "m").request(row) == {"n": 2} and kept() == [("k", "m")]


def test_dropping_a_view_drops_the_indexes_that_no_other_view_needs(tmp_path: Path) -> None:
    opened = workbench.open(tmp_path)
    opened.create_table("tx", [{"k": 1, "m": 2, "ts": datetime(2024, 1, 1)}], time="ts")
    by_k = opened.define("by_k", "SELECT count(*) OVER (PARTITION BY k ORDER BY ts) AS n FROM tx")
    by_m = opened.define("by_m", "SELECT count(*) OVER (PARTITION BY m ORDER BY ts) AS n FROM tx")
    row = {"k": 1, "m": 2}
    for view in (by_k, by_m):
        view.save()
        assert view.request(row) == {"n": 2}
    opened.drop_view("by_m")
    assert [index.spec.keys for index in opened.storage.indexes()] == [("k",)]
    assert by_k.request(row) == {"n": 2}
    assert opened.define("by_m", by_m.sql).request(row) == {"n": 2}
