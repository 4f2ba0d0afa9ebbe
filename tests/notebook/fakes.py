"""A view whose check and deploy end as a test wants: what the panel sees of a project."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

from workbench.consistency import Difference, Report
from workbench.errors import NotFound

Progress = Callable[[str, float], None]


def report(different: int) -> Report:
    """A report over 50,000 values."""
    example = Difference("total", 7, {"card": 1}, 1.5, 2.5)
    return Report(
        view="spend",
        rows=10_000,
        total_rows=90_000,
        complete=False,
        compared=50_000,
        different=different,
        by_feature={"total": different},
        examples=(example,) if different else (),
        cut=90_000,
    )


@dataclass
class FakeDeployment:
    view: str = "spend"
    version: int = 1
    url: str = "http://127.0.0.1:8123/v1/features/spend"
    stopped: bool = False

    @property
    def previous_version(self) -> int | None:
        return self.version - 1 or None

    def curl(self) -> str:
        return f'curl -H "X-API-Key: $WORKBENCH_API_KEY" {self.url} -d \'{{"card": 1}}\''

    def rollback(self) -> FakeDeployment:
        return FakeDeployment(version=self.version - 1)

    def stop(self) -> None:
        self.stopped = True


@dataclass(eq=False)
class FakeView:
    """A view as the panel sees it; ``gate`` holds its work until a test opens it."""

    name: str = "spend"
    version: int | None = None
    dialect: str = "workbench"
    anchor: str = "payments"
    schema: dict[str, str] = field(
        default_factory=lambda: {"card": "BIGINT", "shop": "VARCHAR", "total": "DOUBLE"}
    )
    rows: pa.Table = field(
        default_factory=lambda: pa.table(
            {"card": range(50), "shop": ["<b>x</b>", None] * 25, "total": [i * 1.5 for i in range(50)]}
        )
    )
    findings: list[Any] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    outcome: Any = None
    live: FakeDeployment | None = None

    def lint(self) -> list[Any]:
        return self.findings

    def preview(self, rows: int) -> Any:
        if isinstance(self.rows, Exception):
            raise self.rows
        return SimpleNamespace(to_pyarrow=lambda: self.rows.slice(0, rows))

    def check(self, progress: Progress) -> Any:
        return self._work("replaying requests", progress)

    def deploy(self, progress: Progress) -> Any:
        return self._work("building indexes", progress)

    @property
    def project(self) -> Any:
        return SimpleNamespace(deployment=self._deployment, view=self._view)

    def _deployment(self, name: str) -> FakeDeployment:
        if self.live is None:
            raise NotFound(f"{name} is not deployed")
        return self.live

    def _view(self, name: str, version: int) -> FakeView:
        return replace(self, version=version)

    def _work(self, step: str, progress: Progress) -> Any:
        progress(step, 0.25)
        assert self.gate.wait(30)
        progress(step, 1.0)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome
