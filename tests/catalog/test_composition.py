"""Views that stand on views: which version is meant, what stays as it is, and circles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import workbench
from tests import shop
from workbench.errors import Conflict, DefinitionError

SPENT = "SELECT id, card, mcc, ts, sum(n) OVER w AS spent FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)"


@pytest.fixture
def project(tmp_path: Path) -> Any:
    made = workbench.open(tmp_path / "shop")
    made.create_table("tx", shop.TX, time="ts").append(shop.TX_ROWS[:20])
    made.create_table("logins", shop.LOGINS, time="at").append(shop.LOGIN_ROWS)
    return made


def test_a_view_in_from_is_its_text(project: Any) -> None:
    project.define("spent", SPENT)
    view = project.define("twice", "SELECT id, spent * 2 AS f FROM spent WHERE spent > 3")
    text = project.define("text", f"SELECT id, spent * 2 AS f FROM ({SPENT}) s WHERE spent > 3")
    assert view.plan.hash == text.plan.hash
    assert view.offline().to_pyarrow() == text.offline().to_pyarrow()
    assert view.upstream == ("spent@draft",)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, sum(spent) OVER w AS f FROM {} WINDOW w AS (PARTITION BY mcc ORDER BY ts)",
        "SELECT tx.id, s.spent AS f FROM tx LAST JOIN {} ON tx.mcc = s.mcc",
        "SELECT tx.id, max(spent) OVER w AS f FROM tx WINDOW w AS (FROM {} PARTITION BY mcc ORDER BY ts)",
        "SELECT tx.id, count(spent) OVER w AS f FROM (SELECT *, 1 AS spent FROM tx) tx "
        "WINDOW w AS (UNION {} PARTITION BY mcc ORDER BY ts)",
    ],
)
def test_a_view_is_a_source_wherever_a_subquery_is(project: Any, query: str) -> None:
    project.define("spent", SPENT)
    view = project.define("view", query.format("spent AS s"))
    text = project.define("text", query.format(f"({SPENT}) AS s"))
    assert view.offline().to_pyarrow() == text.offline().to_pyarrow()
    assert view.check(rows="all").different == 0


def test_which_version_is_meant(project: Any) -> None:
    project.define("base", "SELECT id, ts, n AS v FROM tx")
    assert project.define("top", "SELECT v FROM base").upstream == ("base@draft",)
    project.view("base").save()
    project.define("base", "SELECT id, ts, n + 100 AS v FROM tx")
    versions = {
        written: project.define("top", f"SELECT v FROM {written}")
        for written in ("base", "base@1", "base@draft")
    }
    assert [view.upstream for view in versions.values()] == [("base@1",), ("base@1",), ("base@draft",)]
    assert versions["base"].plan.hash == versions["base@1"].plan.hash != versions["base@draft"].plan.hash
    project.view("base").save()
    assert project.define("top", "SELECT v FROM base").upstream == ("base@2",)


def test_a_definition_stays_as_it_is_when_what_it_stands_on_changes(project: Any) -> None:
    project.define("base", "SELECT id, ts, n AS v FROM tx")
    saved = project.define("top", "SELECT v AS f FROM base").save()
    before = saved.offline().to_pyarrow()
    project.define("base", "SELECT id, ts, n + 100 AS v FROM tx")
    project.drop_view("base")
    assert project.view("top", saved.version).offline().to_pyarrow() == before


def test_lineage_goes_through_to_the_tables(project: Any) -> None:
    project.define("spent", SPENT)
    project.define("mid", "SELECT tx.id, tx.ts, s.spent FROM tx LAST JOIN spent s ON tx.mcc = s.mcc")
    view = project.define("top", "SELECT spent + 1 AS f FROM mid")
    (feature,) = view.lineage()
    assert {str(column) for column in feature.columns} == {"tx.n", "tx.card", "tx.ts", "tx.mcc"}
    assert view.upstream == ("mid@draft", "spent@draft")
    assert "stands on: mid@draft, spent@draft" in view.explain()
    assert "upstream-draft" in {finding.code for finding in view.lint()}


def test_circles_are_named(project: Any) -> None:
    project.define("a", "SELECT id, ts, n FROM tx")
    project.define("b", "SELECT id, ts, n FROM a")
    project.define("c", "SELECT id, ts, n FROM b")
    for query, path in (
        ("SELECT n FROM a", "the view a cannot stand on itself"),
        ("SELECT n FROM b", "a -> b -> a"),
        ("SELECT tx.n FROM tx LAST JOIN c ON tx.id = c.id", "a -> c -> b -> a"),
    ):
        with pytest.raises(DefinitionError) as caught:
            project.define("a", query)
        assert path in caught.value.message and caught.value.position is not None


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT n FROM a@3", "view 'a' has no version 3"),
        ("SELECT n FROM a@b", "a@b is no version"),
        ("SELECT n FROM tx@1", "tx is a table, and only views have versions"),
        ("SELECT n FROM b", "no table or view 'b'"),
        ("SELECT m FROM a", "no column 'm'"),
        ("SELECT tx.n FROM tx LAST JOIN a ON tx.id = a.double", "LAST JOIN needs an equality"),
    ],
)
def test_what_is_no_view_is_refused_at_its_place(project: Any, query: str, message: str) -> None:
    project.define("a", "SELECT id, ts, n, n * 2 AS double FROM tx")
    with pytest.raises(DefinitionError) as caught:
        project.define("top", query)
    assert message in caught.value.message and caught.value.position is not None


def test_an_unknown_name_is_suggested_among_views_too(project: Any) -> None:
    project.define("card_totals", "SELECT id, ts, n FROM tx")
    with pytest.raises(DefinitionError, match="did you mean 'card_totals'") as caught:
        project.define("top", "SELECT n FROM card_total")
    assert (caught.value.hint or "").endswith("; views: card_totals")
    with pytest.raises(DefinitionError) as caught:
        project.define("card_totals", "SELECT n FROM card_total")
    assert "views" not in (caught.value.hint or ""), "a view cannot stand on itself"


def test_a_view_and_a_table_cannot_share_a_name(project: Any) -> None:
    project.define("a", "SELECT n FROM tx")
    with pytest.raises(Conflict):
        project.create_table("a", {"n": "BIGINT"})
    with pytest.raises(Conflict):
        project.define("tx", "SELECT n FROM tx")


def test_parameters_of_a_view_are_bound_where_it_is_defined(project: Any) -> None:
    project.define("base", "SELECT id, ts, n + :more AS v FROM tx", params={"more": 5})
    view = project.define("top", "SELECT v * :by AS f FROM base", params={"by": 3})
    text = project.define("text", "SELECT (n + 5) * 3 AS f FROM tx")
    assert view.plan.hash == text.plan.hash
    assert [name for name, _ in view.plan.params] == ["by"]


def test_a_view_of_another_dialect_or_of_ibis_is_the_same_source(project: Any) -> None:
    import ibis

    tx = ibis.table(shop_schema(), name="tx")
    project.define("ibis_view", tx.select("id", "ts", v=tx.n + 1))
    view = project.define("top", "SELECT v FROM ibis_view")
    assert view.plan.hash == project.define("text", "SELECT n + 1 AS v FROM tx").plan.hash


def shop_schema() -> dict[str, str]:
    return {"id": "int64", "ts": "timestamp(6)", "n": "int64"}
