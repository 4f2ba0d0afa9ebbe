"""One shop for the tests that only read."""

from __future__ import annotations

from typing import Any

import pytest

from tests import shop


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("offline") / "shop")


@pytest.fixture(scope="session")
def view(project: Any) -> Any:
    return project.define("features", shop.VIEW)
