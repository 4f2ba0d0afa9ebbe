"""One shop for checks that only read; a project of its own for those that break something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import shop


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return shop.open_shop(tmp_path_factory.mktemp("consistency") / "shop")


@pytest.fixture
def own_project(tmp_path: Path) -> Any:
    return shop.open_shop(tmp_path / "shop")
