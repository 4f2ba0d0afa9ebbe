"""An IPython session, and a view whose check and deploy end as a test wants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.testing.globalipapp import start_ipython

from tests.notebook.fakes import FakeView


@pytest.fixture(scope="session")
def session() -> Any:
    """The one IPython shell of the test process."""
    return start_ipython()


@pytest.fixture
def in_notebook(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the shell look like one that displays HTML and widgets."""
    monkeypatch.setattr(session, "kernel", object(), raising=False)


@pytest.fixture
def ip(session: Any) -> Iterator[Any]:
    """A shell with the extension loaded and an empty user namespace."""
    session.run_line_magic("load_ext", "workbench")
    yield session
    session.run_line_magic("unload_ext", "workbench")
    session.user_ns.pop("spend", None)


@pytest.fixture
def view() -> Iterator[FakeView]:
    fake = FakeView()
    yield fake
    fake.gate.set()
