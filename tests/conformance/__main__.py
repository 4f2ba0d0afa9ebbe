"""``python -m tests.conformance``: run the cases, and show how many of each kind pass."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.known import PAGE, written
from tests.conformance.replay import MODES, Outcome
from tests.conformance.runner import default_cases, outcomes, rates, read


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--mode", choices=MODES, action="append", help="only this way of running")
    parser.add_argument("--id", action="append", default=[], help="only this case; prints it")
    parser.add_argument("--grep", help="only cases whose source, text or tags hold this")
    parser.add_argument("--cases", type=Path, help="JSON lines, or the cases/ folder of an OpenMLDB checkout")
    parser.add_argument("--failures", action="store_true", help="print every failure")
    parser.add_argument(
        "--page", action="store_true", help="write the docs page's account anew, and run nothing"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    cases = [c for c in read(chosen.cases or default_cases()) if not chosen.id or c.id in chosen.id]
    if chosen.page:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), cases), encoding="utf-8")
        return 0
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
