"""A small project in OpenMLDB's types, and queries asked of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

import workbench as wb

COLUMNS = {
    "k": "VARCHAR",
    "sm": "SMALLINT",
    "i": "INTEGER",
    "b": "BIGINT",
    "f": "FLOAT",
    "d": "DOUBLE",
    "s": "VARCHAR",
    "x": "BOOLEAN",
    "dt": "DATE",
    "ts": "TIMESTAMP",
    "n": "INTEGER",
}
ROW: dict[str, Any] = {
    "k": "a",
    "sm": 30000,
    "i": 2147483647,
    "b": -7,
    "f": 1.5,
    "d": -2.75,
    "s": "Hello",
    "x": True,
    "dt": date(2020, 5, 1),
    "ts": datetime(2020, 5, 29, 17, 56, 29, 5000),
    "n": None,
}
Ask = Callable[..., Any]


@pytest.fixture(scope="package")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[wb.Project]:
    folder: Path = tmp_path_factory.mktemp("openmldb")
    with wb.open(folder / "project") as opened:
        opened.create_table("t", COLUMNS, time="ts")
        opened.create_table("other", {"k": "VARCHAR", "v": "INTEGER", "ts": "TIMESTAMP"}, time="ts")
        opened.create_table("plain", {"k": "VARCHAR", "v": "INTEGER", "o": "BIGINT"})
        earlier = [
            ROW | {"i": 1, "s": "b,a", "ts": datetime(2020, 5, 29, 17, 56, 27)},
            ROW | {"i": 2, "n": 5, "x": None, "ts": datetime(2020, 5, 29, 17, 56, 28)},
        ]
        opened.table("t").append(earlier)
        opened.table("other").append(
            [
                {"k": "a", "v": 1, "ts": datetime(2020, 1, 1)},
                {"k": "a", "v": 2, "ts": datetime(2021, 1, 1)},
                {"k": None, "v": 3, "ts": datetime(2020, 1, 1)},
            ]
        )
        opened.table("plain").append([{"k": "a", "v": v, "o": o} for v, o in ((1, 10), (2, 5), (3, 20))])
        yield opened


@pytest.fixture(scope="package")
def values(project: wb.Project) -> Ask:
    """Values of expressions over :data:`ROW`, by request and, the row stored, in bulk."""

    def ask(*expressions: str, over: str = "") -> list[tuple[Any, str]]:
        items = ", ".join(f"{expression} AS e{n}" for n, expression in enumerate(expressions))
        view = project.define("asked", f"SELECT {items} FROM t {over}", dialect="openmldb")
        answer = view.request(ROW)
        assert answer is not None
        (same,) = view.offline(spine=[ROW]).to_pyarrow().select(list(answer)).to_pylist()
        assert [_plain(value) for value in same.values()] == [_plain(value) for value in answer.values()]
        return list(zip(answer.values(), view.schema.values(), strict=True))

    return ask


def _plain(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value
