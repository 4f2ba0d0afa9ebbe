"""``python -m tests.conformance``: run the cases, and show how many of each kind pass."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--mode", choices=MODES, action="append", help="only this way of running")
    parser.add_argument("--id", action="append", default=[], help="only this case; prints it")
    parser.add_argument("--grep", help="only cases whose source, text or tags hold this")
    parser.add_argument("--cases", type=Path, help="JSON lines, or the cases/ folder of an OpenMLDB checkout")
    parser.add_argument("--failures", action="store_true", help="print every failure")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    cases = [c for c in read(chosen.cases or default_cases()) if not chosen.id or c.id in chosen.id]
    if chosen.grep:
        cases = [c for c in cases if any(chosen.grep in text for text in (c.source, c.sql, *c.features))]
    started = time.perf_counter()
    found = list(outcomes(cases, chosen.mode or MODES, chosen.processes))
    _show(found, bool(chosen.id), chosen.failures or bool(chosen.id))
    print(f"{time.perf_counter() - started:.1f} s")
    return 0 if all(outcome.problem is None for outcome in found) else 1


def _show(found: Sequence[Outcome], texts: bool, failures: bool) -> None:
    for outcome in found:
        if texts:
            print(f"-- {outcome.case.id} {outcome.case.source}\n{outcome.case.sql}")
        if failures and outcome.problem is not None:
            print(f"{outcome.case.id} {outcome.mode:8} {outcome.case.source}: {outcome.problem}")
    print(f"\n{'feature':22} {'mode':8} {'passed':>7} {'of':>5} {'rate':>7}")
    for tag, mode, passed, total in rates(found):
        print(f"{tag:22} {mode:8} {passed:7} {total:5} {passed / total:7.1%}")


if __name__ == "__main__":
    sys.exit(main())
