"""LAST JOINs in bulk: whichever of the shapes runs, the rows are those that the request form finds."""

from __future__ import annotations

from typing import Any

import pytest

from tests import shop

AS_OF, SEARCHED = "ASOF LEFT JOIN", "max(r.__n)"
JOINS = {
    "as of the time": ("workbench", "logins AS l ON l.card = tx.card", AS_OF),
    "the time said": ("workbench", "logins AS l ON l.card = tx.card AND l.at <= tx.ts", AS_OF),
    "strictly before": ("workbench", "logins AS l ON l.card = tx.card AND tx.ts > l.at AND l.score > 2", AS_OF),
    "some time before": ("workbench", "logins AS l ON l.card = tx.card AND l.at < tx.ts - INTERVAL 2 HOUR", SEARCHED),
    "a condition": ("workbench", "logins AS l ON l.card = tx.card AND l.score > tx.n", SEARCHED),
    "another order": ("workbench", "logins AS l ORDER BY l.score ON l.card = tx.card", SEARCHED),
    "own rows": ("workbench", "tx AS l ON l.card = tx.card", AS_OF),
    "own older rows": ("workbench", "tx AS l ON l.card = tx.card AND l.ts < tx.ts", AS_OF),
    "late rows": ("workbench", "rates AS l ON l.card = tx.card AND l.at < tx.ts", AS_OF),
    "known rows": ("workbench", "payouts AS l ON l.card = tx.card", SEARCHED),
    "NULL keys": ("openmldb", "logins AS l ORDER BY l.at ON l.card = tx.card AND l.at <= tx.ts", AS_OF),
    "NULL keys, by score": ("openmldb", "logins AS l ORDER BY l.score ON l.card = tx.card AND l.score < tx.n", AS_OF),
}  # fmt: skip
#: A column of each table that is not an id.
VALUES = {"tx": "amount", "rates": "rate", "payouts": "paid"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("lookups") / "shop")


@pytest.mark.parametrize("name", JOINS)
def test_the_rows_are_those_of_the_request_form(project: Any, name: str) -> None:
    dialect, join, shape = JOINS[name]
    value = VALUES.get(join.split()[0], "id")
    view = project.define(
        "joined", f"SELECT tx.id AS id, l.{value} AS found FROM tx LAST JOIN {join}", dialect=dialect
    )
    assert shape in view.to_sql()
    rows = view.offline().to_pyarrow().to_pylist()
    assert any(row["found"] is not None for row in rows)
    # A preview and requests run in the request form.
    assert view.preview(60).to_pyarrow().to_pylist() == rows
    assert view.check("all").different == 0
