"""One small project that every bad input is tried on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

import workbench

TABLES: dict[str, tuple[dict[str, str], str | None]] = {
    "tx": (
        {
            "ts": "TIMESTAMP",
            "id": "BIGINT",
            "card": "VARCHAR",
            "amount": "DOUBLE",
            "n": "BIGINT",
            "mcc": "VARCHAR",
            "ok": "BOOLEAN",
            "small": "TINYINT",
            "day": "DATE",
        },
        "ts",
    ),
    "logins": ({"at": "TIMESTAMP", "card": "VARCHAR", "device": "VARCHAR", "score": "BIGINT"}, "at"),
    "cards": ({"card": "VARCHAR", "limit_": "DOUBLE"}, None),
}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = workbench.open(tmp_path_factory.mktemp("errors") / "project")
    for name, (columns, time) in TABLES.items():
        opened.create_table(name, columns, time=time)
    opened.table("tx").append(
        [
            {
                "ts": datetime(2024, 1, 1, 10),
                "id": 1,
                "card": "a",
                "amount": 2.5,
                "n": 3,
                "mcc": "x",
                "ok": True,
            },
            {
                "ts": datetime(2024, 1, 1, 11),
                "id": 2,
                "card": "a",
                "amount": 1.0,
                "n": 4,
                "mcc": None,
                "ok": None,
            },
        ]
    )
    opened.table("logins").append(
        [{"at": datetime(2024, 1, 1, 9), "card": "a", "device": "phone", "score": 7}]
    )
    opened.table("cards").append([{"card": "a", "limit_": 100.0}])
    return opened
