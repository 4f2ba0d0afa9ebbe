"""``view.to_sql()`` needs nothing of the workbench: any DuckDB gives the features of ``view.offline()``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import shop
from tests.plan.conftest import NAMES, SNAPSHOTS
from workbench.errors import DefinitionError
from workbench.values.coerce import to_table


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("plain") / "shop")


@pytest.fixture(scope="module")
def duck(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A database of a user: the same rows, stored in the order of arrival."""
    connection = duckdb.connect(str(Path(tmp_path_factory.mktemp("duck")) / "shop.duckdb"))
    for name, columns, rows in (
        ("tx", shop.TX, shop.TX_ROWS),
        ("logins", shop.LOGINS, shop.LOGIN_ROWS),
        ("cards", shop.CARDS, shop.CARD_ROWS),
        ("rates", shop.RATES, shop.RATE_ROWS),
        ("payouts", shop.PAYOUTS, shop.PAYOUT_ROWS),
    ):
        connection.register("given", to_table(columns, rows))
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
    return connection


#: They call what the workbench adds to its sessions.
NOT_PLAIN = {"functions"}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_PLAIN])
def test_plain_duckdb_gives_the_rows_of_offline(
    project: Any, duck: duckdb.DuckDBPyConnection, name: str
) -> None:
    view = project.define(name, (SNAPSHOTS / f"{name}.sql").read_text())
    rows = duck.execute(view.to_sql()).to_arrow_table()
    expected = view.offline().to_pyarrow()
    assert rows.num_rows > 0
    assert rows.column_names == expected.column_names
    # As text: nan is not equal to itself, and 1e-9 is nothing of these numbers.
    assert sorted(map(str, rows.to_pylist())) == sorted(map(str, expected.to_pylist()))


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_duckdb_does_not_have_is_refused(project: Any, name: str) -> None:
    view = project.define(name, (SNAPSHOTS / f"{name}.sql").read_text())
    with pytest.raises(DefinitionError, match="FarmHash"):
        view.to_sql()


def test_a_static_anchor_has_plain_sql_only_alone(project: Any) -> None:
    project.create_table("names", {"card": "VARCHAR", "name": "VARCHAR"})
    joined = project.define("joined", "SELECT name FROM cards LAST JOIN names ON cards.card = names.card")
    with pytest.raises(DefinitionError, match="plain tables do not record that"):
        joined.to_sql()
