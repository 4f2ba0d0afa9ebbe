"""Random tables and queries: the offline engine, the request engine and a brute-force evaluator agree on every value.

``SEMANTICS_PAIRS`` (default 1,100) sets how many table x query pairs are compared in all; ``SEMANTICS_SEED`` shifts the
seeds, to look at other ones. A failure prints its seed and a small reproduction. ``python -m tests.semantics`` compares
many thousands.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies

import workbench

from .brute_force import stored_anchor
from .compare import Comparison, Disagreement, defined, load, options, same
from .data import Data, draw_data
from .evaluation import Row
from .generate import CLAUSES, draw_query
from .pairs import QUERIES, Failure, compared, run_set
from .query import Query
from .reproduce import describe, minimise
from .text import render

PAIRS = int(os.environ.get("SEMANTICS_PAIRS", "1100"))
FIRST = int(os.environ.get("SEMANTICS_SEED", "0"))
#: Tables grow in as many states as they have batches of rows: 43 pairs is what a set has on average.
SETS = max(1, -(-PAIRS // 43))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SETS))
def test_offline_request_and_brute_force_agree(seed: int, tmp_path: Path) -> None:
    outcome = run_set(workbench.open(tmp_path / "project"), seed, CLAUSES)
    if outcome.failures:
        pytest.fail(f"{outcome.failures[0]}\n\n{smaller(outcome.failures[0], tmp_path)}", pytrace=False)


@hypothesis.seed(FIRST)
@hypothesis.settings(max_examples=15, deadline=None, database=None)
@hypothesis.given(
    seed=strategies.integers(0, 10**6),
    clauses=strategies.frozensets(strategies.sampled_from(sorted(CLAUSES))),
)
def test_any_clauses_together(seed: int, clauses: frozenset[str]) -> None:
    """Chosen clauses alone, so that of a failure only those are left that it takes."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run_set(workbench.open(folder), seed, clauses, queries=2)
    assert not outcome.failures, str(outcome.failures[0])


def smaller(failure: Failure, folder: Path) -> str:
    """The same difference with less of everything; of errors, which have many causes, nothing is taken away."""
    if not failure.differs:
        return ""
    trials = iter(range(10_000))

    def differences(data: Data, query: Query) -> list[Disagreement]:
        project = workbench.open(folder / f"trial{next(trials)}")
        try:
            load(project, data)
            return compared(Comparison(project, data, query, "v"), failure.turn)
        except Exception:  # an error is another problem than the one looked for
            return []

    data, query = minimise(failure.data, failure.query, lambda d, q: bool(differences(d, q)))
    lines = [str(one) for one in differences(data, query)[:5]]
    return "\n".join(["Smaller:", *lines, "", describe(data, query)])


def in_order_of_time(data: Data) -> list[tuple[str, Row]]:
    """All rows as a well-behaved source sends them: by time, static rows first, the anchor's last among equals."""
    arriving = []
    for name, table in data.tables.items():
        for row in table.rows:
            time = row.values[table.time] if table.time else None
            arriving.append(((time is not None, time or 0, name == data.anchor, row.seq), name, row.values))
    arriving.sort(key=lambda entry: entry[0])
    return [(name, values) for _, name, values in arriving]


@pytest.mark.parametrize("seed", range(FIRST, FIRST + 12))
def test_answers_before_the_append_equal_offline_when_data_arrives_in_order(
    seed: int, tmp_path: Path
) -> None:
    data = draw_data(seed)
    project = workbench.open(tmp_path / "project")
    for name, table in data.tables.items():
        project.create_table(name, table.columns, **options(table))
    queries = [draw_query(data, seed * 100 + number, monotone=True) for number in range(3)]
    views = [defined(project, query, f"v{number}") for number, query in enumerate(queries)]
    answers: list[dict[int, Row]] = [{} for _ in views]
    for number, (name, row) in enumerate(in_order_of_time(data)):
        if number % 13 == seed % 13:
            project.storage.flush()  # from the log to files, under the eyes of the engine
        if name == data.anchor:
            for view, answered in zip(views, answers, strict=True):
                features = view.request(row)
                if features is not None:
                    answered[row["id"]] = features
        project.table(name).append([row])
    for query, view, answered in zip(queries, views, answers, strict=True):
        offline = {row["id"]: row for row in view.offline().to_pyarrow().to_pylist()}
        assert offline.keys() == answered.keys(), f"seed {seed}\n{describe(data, query)}"
        for id_, features in answered.items():
            different = {n: (v, offline[id_][n]) for n, v in features.items() if not same(v, offline[id_][n])}
            assert not different, f"seed {seed}, row {id_}: {different}\n{describe(data, query)}"


def test_the_seeds_cover_what_they_should() -> None:
    """The generator still draws every clause that the comparison is there for."""
    texts, tied, late, null_keys = [], 0, 0, 0
    for seed in range(40):
        data = draw_data(seed)
        own = data.tables[data.anchor]
        times = [stored_anchor(own, row).time for row in own.rows]
        tied += len(times) != len(set(times))
        late += any(a > b for a, b in itertools.pairwise(times) if a and b)
        null_keys += any(row.values["k"] is None for row in own.rows)
        texts += [render(draw_query(data, seed * QUERIES + number)) for number in range(QUERIES)]
    assert min(tied, late, null_keys) > 10
    text = "\n".join(texts)
    for clause in [
        "ROWS BETWEEN", "ROWS_RANGE BETWEEN", " RANGE BETWEEN", "OPEN PRECEDING", "UNBOUNDED PRECEDING", "INTERVAL",
        "EXCLUDE CURRENT_ROW", "MAXSIZE", "LAST JOIN", "(FROM ev", "(FROM tx", "FILTER (WHERE", "WHERE", "ORDER BY o",
        "ORDER BY d", "CASE", "CAST", "now()", "count(DISTINCT", "lag(", "list(", "string_agg(", "OVER (PARTITION",
        "(UNION ", "UNION ALL", "EXCLUDE CURRENT_TIME", "INSTANCE_NOT_IN_WINDOW", "GROUP BY", "IGNORE NULLS",
        "nth_value(", "_where(", "_cate(", "LAST JOIN (SELECT", "FROM (SELECT", "WITH ", " DESC)",
    ]:  # fmt: skip
        assert text.count(clause) >= 5, clause
