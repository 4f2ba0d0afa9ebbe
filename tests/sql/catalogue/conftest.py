"""A project with the example table, all rows but the newest stored."""

from __future__ import annotations

from typing import Any

import pytest

import workbench
from workbench.sql.catalogue import example


@pytest.fixture(scope="package")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The project in which the newest row is asked for."""
    return _project(tmp_path_factory, example.ROWS[:-1])


@pytest.fixture(scope="package")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The project in which it is stored."""
    return _project(tmp_path_factory, example.ROWS)


def _project(factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> Any:
    project = workbench.open(factory.mktemp("catalogue") / "project")
    project.create_table("visits", example.COLUMNS, time="at")
    project.table("visits").append(rows)
    return project
