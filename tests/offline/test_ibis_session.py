"""``to_ibis()``: plain Ibis on the project's DuckDB, with the values of ``offline()``."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pytest
from ibis import _

import workbench as wb
from tests import shop
from tests.plan.conftest import NAMES, SNAPSHOTS
from workbench.errors import DefinitionError, NotFound
from workbench.offline import ibis_session


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("ibis") / "shop")


def texts(rows: Any) -> list[str]:
    """As text: nan is not equal to itself."""
    return sorted(map(str, rows.to_pyarrow().to_pylist()))


def rounded(value: Any) -> Any:
    """Floats to the digits that kernels and DuckDB's own sums agree in."""
    if isinstance(value, dict):
        return {name: rounded(inner) for name, inner in value.items()}
    return float(f"{value:.10g}") if isinstance(value, float) else value


@pytest.mark.parametrize("name", NAMES)
def test_the_catalogue_has_the_values_of_offline(project: Any, name: str) -> None:
    view = project.define(name, (SNAPSHOTS / f"{name}.sql").read_text())
    # Ibis gives no intervals away: it wants them as durations, which Arrow does not make of them.
    kept = [feature for feature, kind in view.schema.items() if kind != "INTERVAL"]
    found, expected = view.to_ibis().select(kept).to_pyarrow(), view.offline().to_pyarrow().select(kept)
    same = [sorted(str(rounded(row)) for row in rows.to_pylist()) for rows in (found, expected)]
    assert same[0] == same[1]
    assert [(f.name, f.type) for f in found.schema] == [(f.name, f.type) for f in expected.schema]


def test_it_goes_on_as_ibis(project: Any) -> None:
    view = project.define("v", shop.VIEW)
    tx = project.table("tx").to_ibis()
    features = view.to_ibis(keys=True)
    assert features.columns[:2] == ("card", "ts")
    busy = features.filter(_.cnt > 2)
    joined = busy.join(tx.select("id", "amount"), "id").group_by("card").agg(paid=_.amount.sum(), n=_.count())
    frame = joined.order_by("card").execute()
    expected = view.offline().to_pandas()
    assert frame["n"].sum() == (expected["cnt"] > 2).sum()
    names = ibis.memtable(pd.DataFrame({"card": ["a"], "name": ["Ann"]}))
    assert set(busy.join(names, "card").select("name").execute()["name"]) == {"Ann"}


def test_keys_may_be_chosen(project: Any) -> None:
    view = project.define("v", shop.VIEW)
    assert view.to_ibis(keys=["mcc", "id"]).columns == ("mcc", "id", "cnt", "total", "best", "limit_")
    with pytest.raises(NotFound, match="no column 'crad'") as caught:
        view.to_ibis(keys=["crad"])
    assert "did you mean 'card'" in str(caught.value)
    renamed = project.define("renamed", "SELECT id, amount * 2 AS amount FROM tx")
    with pytest.raises(DefinitionError, match="'amount' is a feature of the view"):
        renamed.to_ibis(keys=["amount"])


def test_keys_of_computed_rows(project: Any) -> None:
    view = project.define(
        "deep",
        "SELECT count(*) OVER w AS c FROM (SELECT card, ts, lag(n) OVER v AS before FROM tx "
        "WINDOW v AS (PARTITION BY card ORDER BY ts)) AS t WHERE before > 3 WINDOW w AS (ORDER BY ts)",
    )
    assert view.to_ibis(keys=["card", "ts"]).columns == ("card", "ts", "c")
    assert view.to_ibis(keys=True).columns == ("ts", "c")
    assert texts(view.to_ibis()) == texts(view.offline())


def test_rows_are_those_known_when_asked_for(tmp_path: Path) -> None:
    with shop.open_shop(tmp_path / "shop") as project:
        view = project.define(
            "v", "SELECT id, count(*) OVER w AS c FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)"
        )
        before, table = view.to_ibis(), project.table("tx").to_ibis()
        assert before.op().source is table.op().source
        project.table("tx").append({**shop.tx_row(60), "id": 60})
        project.storage.flush()
        assert before.count().execute() == table.count().execute() == 60
        assert view.to_ibis().count().execute() == 61
        assert texts(view.to_ibis()) == texts(view.offline())


def test_the_session_ends_with_its_expressions(tmp_path: Path) -> None:
    with shop.open_shop(tmp_path / "shop") as project:
        expression = project.table("tx").to_ibis()
        assert expression.count().execute() == 60
        backend = ibis_session._current[project.storage][1]
        assert backend() is not None
        del expression
        gc.collect()
        assert backend() is None


def test_the_session_reaches_no_files(project: Any) -> None:
    backend = project.table("tx").to_ibis().op().source
    with pytest.raises(Exception, match="disabled"):
        backend.con.execute("SELECT * FROM read_text('/etc/hosts')")


def test_python_functions_are_there(tmp_path: Path) -> None:
    with shop.open_shop(tmp_path / "shop") as project:

        @project.function
        def twice(x: int) -> int:
            return 2 * x

        view = project.define("v", "SELECT id, twice(n) AS t FROM tx")
        assert texts(view.to_ibis()) == texts(view.offline()) == texts(view.to_ibis(keys=True).drop("ts"))


def test_views_are_defined_on_tables_of_the_project(project: Any) -> None:
    tx, cards = project.table("tx").to_ibis(), project.table("cards").to_ibis()
    week = wb.window(partition_by="card", order_by="ts", rows_range="7d")
    joined = wb.last_join(tx, cards, "card")
    view = project.define("own", joined.select("id", "limit_", spent=_.amount.sum().over(week)))
    same = project.define(
        "text",
        "SELECT tx.id, c.limit_, sum(tx.amount) OVER w AS spent FROM tx LAST JOIN cards AS c ON tx.card = c.card "
        "WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE 7d PRECEDING)",
    )
    assert view.plan.hash == same.plan.hash
    assert project.define("again", view.sql).plan.hash == view.plan.hash
    assert not view.check(rows="all").different
    with pytest.raises(DefinitionError, match="not a table of this project"):
        project.define("on_top", view.to_ibis().filter(_.spent > 1))


def test_what_plain_sql_cannot_say(project: Any) -> None:
    project.create_table("names", {"card": "VARCHAR", "name": "VARCHAR"}, if_exists="skip")
    joined = project.define("joined", "SELECT name FROM cards LAST JOIN names ON cards.card = names.card")
    with pytest.raises(DefinitionError, match="has no time column"):
        joined.to_ibis()
