"""Which cases there are, and all of them run."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conformance.cases import Case, read_jsonl
from tests.conformance.replay import MODES, Outcome, run

ROOT = Path(__file__).resolve().parents[2]


def default_cases() -> Path:
    """Where the cases lie: ``shared/`` beside the checkout, or beside the one that this is a working tree of."""
    beside = [ROOT.parent, *ROOT.parent.parents]
    found = [folder / "shared/conformance/openmldb.jsonl" for folder in beside]
    return next((path for path in found if path.is_file()), found[0])


def read(path: Path) -> list[Case]:
    """Return the cases of a file of JSON lines, or of the YAML files of a folder."""
    if path.is_dir():
        from tests.conformance.yaml_cases import read_folder

        return read_folder(path)
    return read_jsonl(path)


def outcomes(cases: Sequence[Case], modes: Sequence[str] = MODES, processes: int = 1) -> Iterator[Outcome]:
    """Run cases, in several processes where there are processors for them."""
    work = [(case, tuple(modes)) for case in cases]
    if processes == 1 or len(work) < 20:
        for item in work:
            yield from _run(item)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for found in pool.imap(_run, work, chunksize=10):
            yield from found


def _run(work: tuple[Case, tuple[str, ...]]) -> list[Outcome]:
    return run(*work)


def rates(found: Sequence[Outcome]) -> list[tuple[str, str, int, int]]:
    """Return tag, mode, passed and all; the tag ``all`` first, then the most frequent."""
    tags = sorted({tag for outcome in found for tag in outcome.case.features})
    rows = []
    for tag in ["all", *tags]:
        for mode in MODES:
            here = [o for o in found if o.mode == mode and (tag == "all" or tag in o.case.features)]
            if here:
                rows.append((tag, mode, sum(o.problem is None for o in here), len(here)))
    return sorted(rows, key=lambda row: (row[0] != "all", -row[3], row[0], row[1] != "request"))
