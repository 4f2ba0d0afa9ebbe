"""Compare many table x query pairs; stop and go on at will.

python -m tests.semantics --pairs 20000 [--seed 0] [--log tests/artifacts/semantics.jsonl] [--clauses union,views]

Every line of the log is one set of tables: its seed, how many pairs were compared, how often each clause was drawn, and
what failed, with a reproduction. Seeds that stand in the log are not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import workbench

from .generate import CLAUSES, PENDING
from .pairs import Outcome, run_set


def main() -> None:
    """Run sets of tables until the log holds as many pairs as asked for."""
    arguments = _arguments()
    clauses = frozenset(arguments.clauses.split(",")) if arguments.clauses else CLAUSES
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    done = _read(arguments.log)
    seen = {line["seed"] for line in done}
    pairs = sum(line["pairs"] for line in done)
    seed = arguments.seed
    commit = _commit()
    with arguments.log.open("a") as log:
        while pairs < arguments.pairs:
            if seed not in seen:
                line = _line(seed, clauses, commit, arguments.log.parent)
                log.write(json.dumps(line) + "\n")
                log.flush()
                done.append(line)
                pairs += line["pairs"]
                for failure in line["failures"]:
                    print(failure, flush=True)
                print(f"{pairs} pairs, seed {seed}", file=sys.stderr, flush=True)
            seed += 1
    print(summary(done))
    sys.exit(any(line["failures"] for line in done))


def summary(lines: Iterable[dict[str, Any]]) -> str:
    """Return counts by clause, and how many pairs failed."""
    counts: Counter[str] = Counter()
    compiled: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    pairs = failures = values = 0
    for line in lines:
        counts.update(line["clauses"])
        pairs, failures = pairs + line["pairs"], failures + len(line["failures"])
        values += line["values"]
        compiled.update(line.get("compiled", {}))
        refusals.update(line.get("refusals", {}))
    rows = [f"{count:8,}  {clause}" for clause, count in counts.most_common()]
    rows += [f"{count:8,}  {what}" for what, count in compiled.items()]
    rows += [f"{count:8,}  not compiled: {why}" for why, count in refusals.most_common(40)]
    return "\n".join([*rows, f"{pairs:,} pairs, {values:,} values, {failures} failed"])


def _line(seed: int, clauses: frozenset[str], commit: str, folder: Path) -> dict[str, Any]:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=_memory()) as place:
        project = workbench.open(Path(place) / "project")
        project.warmup()
        outcome: Outcome = run_set(project, seed, clauses)
        project.close()
    return {
        "seed": seed,
        "pairs": outcome.pairs,
        "values": outcome.values,
        "clauses": outcome.clauses,
        "compiled": dict(outcome.compiled),
        "refusals": dict(outcome.refusals),
        "failures": [str(failure) for failure in outcome.failures],
        "seconds": round(time.monotonic() - started, 2),
        "commit": commit,
    }


def _memory() -> str | None:
    """Where files cost no disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()


def _read(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.semantics", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20_000, help="how many the log shall hold")
    parser.add_argument("--seed", type=int, default=0, help="the first set of tables")
    parser.add_argument(
        "--log", type=Path, default=Path(__file__).parents[1] / "artifacts" / "semantics.jsonl"
    )
    parser.add_argument(
        "--clauses", default="", help=f"of {', '.join(sorted(CLAUSES | PENDING))}; default {len(CLAUSES)}"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
