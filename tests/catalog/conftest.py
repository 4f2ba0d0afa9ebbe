from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path / "project")
    yield opened
    opened.close()
