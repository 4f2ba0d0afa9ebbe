"""One shop for requests that only read."""

from __future__ import annotations

from typing import Any

import pytest

from tests import shop


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("online") / "shop")


@pytest.fixture
def engine(project: Any) -> Any:
    """The engine of the shop's view, with its indexes made."""
    view = project.define("features", shop.VIEW)
    view.check(1)
    return project.engine(view.plan)
