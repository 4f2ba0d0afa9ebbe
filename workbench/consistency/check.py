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
from workbench.consistency.values import equal, python_rows
from workbench.offline import OfflineFeatures, Progress
from workbench.online import Answer, Engine
from workbench.plan.model import FeaturePlan
from workbench.plan.render import quote
from workbench.storage import Storage
from workbench.values import wire

BATCH_ROWS = 64
EXAMPLES = 20
#: What differs where one side leaves out a row that the other answers.
WHERE = "WHERE"
#: What differs where a request with the id of a stored row is not answered at that row's place.
PLACE = "place by id"


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
        bulk = OfflineFeatures(self.storage, self.plan, _share(progress, 0.0, 0.4))
        offline = bulk.at(seqs, cut).to_pyarrow()
        places = {seq: place for place, seq in enumerate(offline.column("__seq").to_pylist())}
        anchors = bulk.anchors(seqs, cut)
        counter = _Counter(self.plan)
        before = self.engine.answered
        step = _share(progress, 0.4, 1.0)
        for start in range(0, anchors.num_rows, BATCH_ROWS):
            batch = anchors.slice(start, BATCH_ROWS)
            numbers = batch.column("__seq").to_pylist()
            asked = dict(self.engine.answered)
            answers = self.engine.replay(batch.drop_columns(["__seq"]), numbers, cut)
            kept = [number for number in numbers if number in places]
            values = python_rows(offline.take(pa.array([places[number] for number in kept], pa.int64())))
            exact = bulk.exact and self.engine.answered["reference"] == asked["reference"]
            counter.add(python_rows(batch), dict(zip(kept, values, strict=True)), answers, exact)
            if step:
                done = min(start + BATCH_ROWS, anchors.num_rows)
                step(f"comparing {done:,} of {anchors.num_rows:,} rows", done / max(anchors.num_rows, 1))
        self._places(seqs, cut, counter)
        if progress:
            progress("done", 1.0)
        drivers = {name: count - before[name] for name, count in self.engine.answered.items()}
        return counter.report(self.view, total, len(seqs), cut, drivers)

    def _places(self, seqs: Sequence[int], cut: int, counter: _Counter) -> None:
        """Compare where requests with the ids of stored rows are placed with where these rows stand."""
        column = self.storage.table(self.plan.table).id_column
        if column is None or not seqs:
            return
        with self.storage.snapshot(cut) as snapshot, self.storage.connect() as connection:
            relation = snapshot.relation(connection, self.plan.table, seqs=seqs)
            rows = connection.execute(
                f"SELECT __seq, {quote(column)} FROM {relation} ORDER BY __seq"
            ).fetchall()
        found = self.engine.stored_seqs([name for _, name in rows])
        for (seq, name), place in zip(rows, found, strict=True):
            counter.add_place(seq, {column: name}, place)


class _Counter:
    """Counts compared and different values, and keeps the first differences."""

    def __init__(self, plan: FeaturePlan) -> None:
        self.types = plan.features
        self.encode = wire.encoder(self.types)
        self.rows = 0
        self.compared = 0
        self.exact_rows = 0
        self.different: dict[str, int] = dict.fromkeys(self.types, 0)
        self.examples: list[Difference] = []

    def add(
        self,
        rows: Sequence[dict[str, Any]],
        offline: dict[int, dict[str, Any]],
        answers: Sequence[Answer],
        exact: bool,
    ) -> None:
        """Compare the answers to ``rows`` with the ``offline`` features by seq; those left out are not in there.

        ``exact``: the same kernels computed both, so that floats are equal to the bit.
        """
        self.exact_rows += len(rows) if exact else 0
        for row, answer in zip(rows, answers, strict=True):
            self.rows += 1
            seq = row.pop("__seq")
            if seq in offline:
                self._features(seq, row, offline[seq], answer, exact)
            else:
                self.compared += 1
                if answer.reason is None:
                    self._differs(WHERE, seq, row, "left out", answer.features or str(answer.error))

    def add_place(self, seq: int, row: dict[str, Any], found: int | None) -> None:
        """Compare the place of a stored row with where a request with its id is placed."""
        self.compared += 1
        if found != seq:
            self._differs(PLACE, seq, row, seq, found)

    def _features(
        self, seq: int, row: dict[str, Any], offline: dict[str, Any], answer: Answer, exact: bool
    ) -> None:
        values = self._through_codec(answer)
        for name, kind in self.types.items():
            self.compared += 1
            got = values[name] if values is not None else _why(answer)
            if values is None or not equal(offline[name], got, kind, exact):
                self._differs(name, seq, row, offline[name], got)

    def _through_codec(self, answer: Answer) -> dict[str, Any] | None:
        if answer.features is None:
            return None
        encoded = self.encode(answer.features)
        return {name: wire.decode(encoded[name], kind) for name, kind in self.types.items()}

    def _differs(self, name: str, seq: int, row: dict[str, Any], offline: Any, request: Any) -> None:
        self.different[name] = self.different.get(name, 0) + 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(Difference(name, seq, row, offline, request))

    def report(self, view: str, total: int, sampled: int, cut: int, drivers: dict[str, int]) -> Report:
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
            drivers=drivers,
            exact_rows=self.exact_rows,
        )


def _why(answer: Answer) -> str:
    return str(answer.error or answer.reason)


def _share(progress: Progress | None, start: float, end: float) -> Progress | None:
    if progress is None:
        return None

    def report(step: str, done: float) -> None:
        progress(step, start + (end - start) * done)

    return report
