"""A view whose check and deploy end as a test wants: what the panel sees of a project."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pyarrow as pa

Progress = Callable[[str, float], None]


@dataclass
class FakeReport:
    different: int
    compared: int = 50_000
    bound: float = 0.0003

    @property
    def examples(self) -> list[Any]:
        return [SimpleNamespace(column="total", offline=1.5, request=2.5)] if self.different else []


@dataclass
class FakeDeployment:
    view: str = "spend"
    version: int = 1
    url: str = "http://127.0.0.1:8123/v1/features/spend"
    stopped: bool = False

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

    def deployment(self) -> FakeDeployment | None:
        return self.live

    def _work(self, step: str, progress: Progress) -> Any:
        progress(step, 0.25)
        assert self.gate.wait(30)
        progress(step, 1.0)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome
