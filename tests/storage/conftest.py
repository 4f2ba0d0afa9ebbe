from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.storage.support import COLUMNS
from workbench.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path / "project")
    yield opened
    opened.close()


@pytest.fixture
def make(storage: Storage) -> Callable[..., None]:
    """Create a table, by default ``payments``."""

    def create(name: str = "payments", columns: dict[str, str] = COLUMNS, time: str | None = "at") -> None:
        with storage.transaction() as tx:
            storage.create_table(tx, name, columns, time=time, options={})

    return create
