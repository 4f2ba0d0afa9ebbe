"""Compare millions of values of the kernels in bulk with those of the compiled request driver, to the last bit.

python -m tests.semantics.kernels --values 10000000 [--seed 0] [--log tests/artifacts/kernels.jsonl] [--sample 20]

Offline computes stored anchor rows on kernels; the compiled driver answers the same rows at their own positions, and as
new rows through the path of single requests. ``--sample`` rows of each view are also answered by the reference driver,
whose floats are within 1e-9. Every line of the log is one view.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import workbench
from workbench.errors import WorkbenchError
from workbench.offline import OfflineFeatures
from workbench.online import Engine
from workbench.online.compiled.drivers import CompiledDrivers
from workbench.plan.kernel_bulk import whole_in_bulk

from .kernel_data import Tables, draw_tables, store
from .kernel_views import Drawn, draw_view

#: Views on one set of tables.
VIEWS = 8
#: Requests of one call, and how long the requests of one view may go on, in CPU seconds.
BATCH = 2000
SECONDS = 6.0
#: How far floats of DuckDB may be from those of kernels, of all values that a column has.
NEAR = 1e-9


@dataclass
class Compared:
    """What comparing one view gave."""

    seed: int
    view: int
    text: str
    values: int = 0
    quick: int = 0
    sampled: int = 0
    left: int = 0
    why: str = ""
    refused: list[str] = field(default_factory=list)
    kinds: tuple[str, ...] = ()
    differences: list[str] = field(default_factory=list)
    far: list[str] = field(default_factory=list)
    seconds: float = 0.0


def compare_tables(
    project: Any, seed: int, tables: Tables, views: int, anchors: int, sample: int = 20
) -> Iterator[Compared]:
    """Store tables, draw views, and compare up to ``anchors`` rows of each."""
    store(project, tables)
    for number in range(views):
        drawn = draw_view(tables, seed * 1000 + number)
        found = Compared(seed, number, drawn.text, kinds=drawn.kinds)
        started = time.process_time()
        try:
            _compare(project, tables, drawn, found, anchors, sample)
        except WorkbenchError as error:
            found.refused.append(f"error: {error}")
        found.seconds = round(time.process_time() - started, 2)
        yield found


def _compare(project: Any, tables: Tables, drawn: Drawn, found: Compared, anchors: int, sample: int) -> None:
    view = project.define(f"v{found.view}", drawn.text)
    engine = view._engine()
    try:
        if engine.driver.name != "compiled":
            found.refused.extend(engine.driver.reasons)
            return
        if not whole_in_bulk(engine.plan):
            found.refused.append("offline: DuckDB computes some aggregate")
            return
        random = np.random.default_rng([found.seed, found.view])
        _stored(project, engine, drawn, found, random, anchors, sample)
        _new(project, engine, drawn, found, tables.new)
    finally:
        engine.close()


def _stored(
    project: Any,
    engine: Engine,
    drawn: Drawn,
    found: Compared,
    random: np.random.Generator,
    anchors: int,
    sample: int,
) -> None:
    """Rows of the anchor's table at their own positions."""
    cut = project.storage.last_seq()
    seqs = _seqs(project, cut)
    chosen = random.permutation(seqs)[:anchors]
    bulk = OfflineFeatures(project.storage, engine.plan)
    asked = bulk.anchors(chosen.tolist(), cut)
    order = pa.array(random.permutation(asked.num_rows))
    asked, drivers = asked.take(order), engine._compiled
    assert isinstance(drivers, CompiledDrivers)
    answers: list[tuple[Any, ...] | None] = []
    begun = time.process_time()
    for start in range(0, asked.num_rows, BATCH):
        batch = asked.slice(start, BATCH)
        answers += drivers.answer(batch.drop_columns(["__seq"]), batch.column("__seq").to_pylist(), cut)
        if time.process_time() - begun > SECONDS:
            break
    asked = asked.slice(0, len(answers))
    numbers = asked.column("__seq").to_pylist()
    offline = bulk.at(numbers, cut).to_pyarrow()
    if not bulk.exact:
        found.refused.append("offline: kernels gave a stage back to DuckDB")
        return
    found.left += answers.count(None)
    found.why = drivers.why
    kept = {seq: place for place, seq in enumerate(offline.column("__seq").to_pylist())}
    given = [(seq, answer) for seq, answer in zip(numbers, answers, strict=True) if answer is not None]
    wrong = [seq for seq, answer in given if bool(answer[0]) != (seq in kept)]
    if wrong:
        found.differences.append(f"WHERE of seqs {wrong[:5]}")
    given = [(seq, answer) for seq, answer in given if answer[0] and seq in kept]
    expected = offline.take(pa.array([kept[seq] for seq, _ in given], pa.int64())).drop_columns(["__seq"])
    found.values += len(given) * expected.num_columns
    found.differences += _different(
        expected, [a[1:] for _, a in given], [s for s, _ in given], drawn, "stored"
    )
    _near(engine, asked, given, cut, drawn, found, sample)


def _seqs(project: Any, cut: int) -> Any:
    with project.storage.snapshot(cut) as snapshot, project.storage.connect() as connection:
        relation = snapshot.relation(connection, "tx")
        return connection.execute(f"SELECT __seq FROM {relation} ORDER BY __seq").fetchnumpy()["__seq"]


def _new(project: Any, engine: Engine, drawn: Drawn, found: Compared, new: pa.Table) -> None:
    """Rows that are not stored, one by one as the server takes them."""
    rows = new.to_pylist()
    quick = engine.quick
    assert quick is not None
    answers = [quick(row) for row in rows]
    bulk = OfflineFeatures(project.storage, engine.plan)
    offline = bulk.spine(new, carry_row=True).to_pyarrow()
    if not bulk.exact:
        found.refused.append("offline: kernels gave a stage of new rows back to DuckDB")
        return
    places = {row: place for place, row in enumerate(offline.column("__row").to_pylist())}
    found.left += answers.count(None)
    given = []
    for number, answer in enumerate(answers):
        if answer is None:
            continue
        if (answer.features is not None) != (number in places):
            found.differences.append(f"WHERE of new row {number}")
        elif answer.features is not None:
            given.append((number, tuple(answer.features.values())))
    expected = offline.take(pa.array([places[n] for n, _ in given], pa.int64())).drop_columns(["__row"])
    values = len(given) * expected.num_columns
    found.values += values
    found.quick += values
    found.differences += _different(expected, [a for _, a in given], [n for n, _ in given], drawn, "new")


def _near(
    engine: Engine,
    asked: pa.Table,
    given: Sequence[tuple[int, tuple[Any, ...]]],
    cut: int,
    drawn: Drawn,
    found: Compared,
    sample: int,
) -> None:
    """The reference driver answers some of the rows too."""
    answers = dict(given)
    seqs = [seq for seq in asked.column("__seq").to_pylist() if seq in answers][:sample]
    if not seqs:
        return
    part = asked.filter(pc.is_in(asked.column("__seq"), pa.array(seqs, pa.int64())))
    seqs = part.column("__seq").to_pylist()
    theirs = engine._by_reference(part.drop_columns(["__seq"]), seqs, cut)
    for seq, other in zip(seqs, theirs, strict=True):
        if not isinstance(other, tuple):
            found.far.append(f"seq {seq}: the reference driver says {other}")
            continue
        for name, ours, value in zip(engine.plan.features, answers[seq][1:], other[1:], strict=True):
            found.sampled += 1
            if not _close(ours, value):
                found.far.append(
                    f"{name} [{drawn.functions.get(name)}] of seq {seq}: {ours!r}, reference {value!r}"
                )


def _close(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return (
            ours == theirs
            or (ours != ours and theirs != theirs)
            or abs(ours - theirs) <= NEAR * max(1.0, abs(theirs))
        )
    return type(ours) is type(theirs) and bool(ours == theirs)


def _different(
    expected: pa.Table, got: Sequence[tuple[Any, ...]], names: Sequence[int], drawn: Drawn, which: str
) -> list[str]:
    """The columns that differ, each with an example; floats are compared by their bits, one NaN is like another."""
    found = []
    columns = list(zip(*got, strict=True)) if got else []
    for field_, values in zip(expected.schema, columns, strict=False):
        left = expected.column(field_.name).combine_chunks()
        right = pa.array(values, field_.type)
        same = _same(left, right)
        if not same.all():
            place = int(np.flatnonzero(~same)[0])
            found.append(
                f"{field_.name} [{drawn.functions.get(field_.name)}] of {which} row {names[place]}: offline"
                f" {left[place].as_py()!r}, request {right[place].as_py()!r};"
                f" {int((~same).sum())} of {len(same)} differ"
            )
    return found


def _same(left: pa.Array, right: pa.Array) -> Any:
    null = pc.is_null(left).to_numpy(zero_copy_only=False), pc.is_null(right).to_numpy(zero_copy_only=False)
    if pa.types.is_floating(left.type):
        kind = np.int32 if left.type == pa.float32() else np.int64
        a, b = (one.fill_null(0.0).to_numpy(zero_copy_only=False) for one in (left, right))
        equal = (a.view(kind) == b.view(kind)) | (np.isnan(a) & np.isnan(b))
    else:
        equal = pc.fill_null(pc.equal(left, right), False).to_numpy(zero_copy_only=False)
    return (null[0] & null[1]) | (~null[0] & ~null[1] & equal)


def compare_many(
    values: int,
    seed: int,
    *,
    rows: tuple[int, int] = (10_000, 60_000),
    views: int = VIEWS,
    anchors: int = 20_000,
    sample: int = 20,
    done: Callable[[Compared], None] = lambda found: None,
) -> list[Compared]:
    """Compare at least so many values, on as many sets of tables as it takes."""
    found: list[Compared] = []
    for number in itertools.count(seed):
        with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
            project = workbench.open(Path(place) / "project")
            project.warmup()
            for one in compare_tables(project, number, draw_tables(number, *rows), views, anchors, sample):
                found.append(one)
                done(one)
                if sum(each.values for each in found) >= values:
                    break
            project.close()
        if sum(each.values for each in found) >= values:
            return found
    return found


def summary(found: Iterable[Compared]) -> str:
    """Return what was compared, what was refused and why, and what differs."""
    views = list(found)
    kinds = Counter(kind for one in views if one.values for kind in one.kinds)
    refused = Counter(reason for one in views for reason in one.refused)
    left = Counter({one.why: one.left for one in views if one.left})
    lines = [f"{count:8,}  {kind}" for kind, count in kinds.most_common()]
    lines += [f"{count:8,}  views refused: {reason}" for reason, count in refused.most_common(20)]
    lines += [
        f"{count:8,}  rows left to the reference driver: {reason}" for reason, count in left.most_common(20)
    ]
    values, quick, sampled = (
        sum(getattr(one, name) for one in views) for name in ("values", "quick", "sampled")
    )
    compared = [one for one in views if one.values]
    lines.append(
        f"{values:,} values of {len(compared)} views on {len({one.seed for one in compared})} sets of tables"
        f" ({len(views) - len(compared)} views refused), {quick:,} of them by single requests:"
        f" {sum(len(one.differences) for one in views)} columns differ;"
        f" {sampled:,} values beside the reference driver: {sum(len(one.far) for one in views)} farther than {NEAR}"
    )
    return "\n".join(lines)


def main() -> None:
    """Compare, write the log, and say what differs."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.semantics.kernels", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--values", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=0, help="the first set of tables")
    parser.add_argument("--log", type=Path, default=Path(__file__).parents[1] / "artifacts" / "kernels.jsonl")
    parser.add_argument("--sample", type=int, default=20, help="rows of a view beside the reference driver")
    parser.add_argument("--anchors", type=int, default=20_000, help="rows of a view at most")
    arguments = parser.parse_args()
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    total = 0
    with arguments.log.open("a") as log:

        def done(one: Compared) -> None:
            nonlocal total
            total += one.values
            log.write(json.dumps(asdict(one)) + "\n")
            log.flush()
            place = f"seed {one.seed}, view {one.view}"
            for line in one.differences + one.far:
                print(f"{place}: {line}", flush=True)
            said = f", refused: {'; '.join(one.refused)}" if one.refused else ""
            print(f"{total:,} values, {place}, {one.seconds} s{said}", file=sys.stderr, flush=True)

        found = compare_many(
            arguments.values, arguments.seed, anchors=arguments.anchors, sample=arguments.sample, done=done
        )
    print(summary(found))
    print(f"seed {arguments.seed}, {time.process_time():.0f} s of CPU")
    sys.exit(any(one.differences or one.far for one in found))


if __name__ == "__main__":
    main()
