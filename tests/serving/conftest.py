"""One server for the tests that do not disturb it; every server that a test starts is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.serving import cards
from tests.serving.web import Web, owner
from workbench.deployment import find_server, stop_server


@dataclass
class Served:
    """A project with a running server."""

    path: Path
    project: Any
    web: Web


def serve(path: Path, project: Any) -> Served:
    server = find_server(path)
    assert server is not None
    return Served(path, project, Web(server.url, owner(path)))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``card_risk`` and ``wire`` are deployed. Shared: a test must not change what is deployed."""
    path = tmp_path_factory.mktemp("served") / "cards"
    project = cards.make(path)
    project.define("card_risk", cards.RISK).deploy()
    project.define("wire", cards.WIRE).deploy()
    try:
        yield serve(path, project)
    finally:
        stop_server(path)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Served]:
    """A project of the test's own, with ``marker`` version 1 deployed."""
    path = tmp_path / "cards"
    project = cards.make(path)
    project.define("marker", cards.constant(1)).deploy()
    try:
        yield serve(path, project)
    finally:
        stop_server(path)


@pytest.fixture
def web(served: Served) -> Iterator[Web]:
    """A connection to the shared server."""
    connection = served.web.another()
    yield connection
    connection.close()
