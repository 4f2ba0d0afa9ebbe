"""request == offline, value by value: stored anchor rows answered again at their own position and compared.

The offline side is the bulk path that makes training sets; the request side is the engine that serves. Both run at one
pinned cut, and every answer also goes through the HTTP codec.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from workbench.consistency.report import Difference, Report
from workbench.consistency.sample import sample
from workbench.consistency.values import equal
from workbench.offline import OfflineFeatures, Progress
from workbench.offline.run import carried
from workbench.online import Answer, Engine
from workbench.plan.model import FeaturePlan
from workbench.storage import Storage
from workbench.values import wire

BATCH_ROWS = 64
EXAMPLES = 20


@dataclass(frozen=True)
class Check:
    """Checks one plan.

    Parameters
    ----------
    storage
        The project's storage.
    plan
        The plan; the indexes that its requests need must exist.
    engine
        The engine that answers its requests.
    view
        The view's name, for the report.
    """

    storage: Storage
    plan: FeaturePlan
    engine: Engine
    view: str

    def run(self, rows: int | Literal["all"] = 10_000, progress: Progress | None = None) -> Report:
        """Compare ``rows`` sampled anchor rows (or all of them) and return the report."""
        cut = self.storage.last_seq()
        total = self.storage.row_count(self.plan.table, cut)
        seqs = sample(self.storage, self.plan, total if rows == "all" else rows, cut)
        offline = (
            OfflineFeatures(self.storage, self.plan, _share(progress, 0.0, 0.4)).at(seqs, cut).to_pyarrow()
        )
        counter = _Counter(self.plan)
        step = _share(progress, 0.4, 1.0)
        for start in range(0, offline.num_rows, BATCH_ROWS):
            batch = offline.slice(start, BATCH_ROWS)
            anchors = self._anchors(batch)
            numbers = batch.column("__seq").to_pylist()
            answers = self.engine.replay(anchors, numbers, cut)
            counter.add(numbers, anchors, batch.select(list(self.plan.features)), answers)
            if step:
                done = min(start + BATCH_ROWS, offline.num_rows)
                step(f"comparing {done:,} of {offline.num_rows:,} rows", done / max(offline.num_rows, 1))
        if progress:
            progress("done", 1.0)
        return counter.report(self.view, total, len(seqs), cut)

    def _anchors(self, batch: pa.Table) -> pa.Table:
        names = list(self.plan.request_columns)
        return batch.select([carried(name) for name in names]).rename_columns(names)


class _Counter:
    """Counts compared and different values, and keeps the first differences."""

    def __init__(self, plan: FeaturePlan) -> None:
        self.types = plan.features
        self.encode = wire.encoder(self.types)
        self.rows = 0
        self.compared = 0
        self.different: dict[str, int] = dict.fromkeys(self.types, 0)
        self.examples: list[Difference] = []

    def add(
        self, seqs: Sequence[int], anchors: pa.Table, offline: pa.Table, answers: Sequence[Answer]
    ) -> None:
        expected = offline.to_pylist()
        for index, answer in enumerate(answers):
            self.rows += 1
            values = self._through_codec(answer)
            for name, kind in self.types.items():
                self.compared += 1
                got = values[name] if values is not None else _why(answer)
                if values is None or not equal(expected[index][name], got, kind):
                    self._differs(name, seqs[index], anchors, index, expected[index][name], got)

    def _through_codec(self, answer: Answer) -> dict[str, Any] | None:
        if answer.features is None:
            return None
        encoded = self.encode(answer.features)
        return {name: wire.decode(encoded[name], kind) for name, kind in self.types.items()}

    def _differs(
        self, name: str, seq: int, anchors: pa.Table, index: int, offline: Any, request: Any
    ) -> None:
        self.different[name] += 1
        if len(self.examples) < EXAMPLES:
            row = anchors.slice(index, 1).to_pylist()[0]
            self.examples.append(Difference(name, seq, row, offline, request))

    def report(self, view: str, total: int, sampled: int, cut: int) -> Report:
        return Report(
            view=view,
            rows=self.rows,
            total_rows=total,
            complete=sampled >= total,
            compared=self.compared,
            different=sum(self.different.values()),
            by_feature={name: count for name, count in self.different.items() if count},
            examples=tuple(self.examples),
            cut=cut,
        )


def _why(answer: Answer) -> str:
    return str(answer.error or answer.reason)


def _share(progress: Progress | None, start: float, end: float) -> Progress | None:
    if progress is None:
        return None

    def report(step: str, done: float) -> None:
        progress(step, start + (end - start) * done)

    return report
