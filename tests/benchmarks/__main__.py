"""Measure, print one table and write it as JSON.

python -m tests.benchmarks [NAME ...] [--scale 0.1] [--folder DIR] [--json tests/artifacts/bench.json]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import (
    bulk,
    definition,
    endpoints,
    engine,
    ingest,
    kernels,
    load,
    lowered,
    preview,
    request,
    rows,
    spine,
    storage,
    training,
    windows,
)
from tests.benchmarks.runner import Measurement, machine

BENCHMARKS = {
    "definition": definition.run,
    "lowered": lowered.run,
    "bulk": bulk.run,
    "preview": preview.run,
    "request": request.run,
    "training": training.run,
    "rows": rows.run,
    "kernels": kernels.run,
    "engine": engine.run,
    "windows": windows.run,
    "endpoints": endpoints.run,
    "spine": spine.run,
    "storage": storage.run,
    "ingest": ingest.run,
    "load": load.run,
}


def main() -> None:
    """Run the benchmarks named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default all")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows; 1 is what is quoted")
    parser.add_argument(
        "--folder", type=Path, help="where data is kept for the next run; default a temporary one"
    )
    parser.add_argument("--json", type=Path, default=Path(__file__).parents[1] / "artifacts" / "bench.json")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - BENCHMARKS.keys()
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    measured: list[Measurement] = []
    before = machine()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for name in arguments.names or BENCHMARKS:
            print(f"{name} …", file=sys.stderr, flush=True)
            measured += BENCHMARKS[name](folder, arguments.scale)
    after = machine()
    show(measured)
    load = f"{before['load_average'][0]} before, {after['load_average'][0]} after"
    print(f"{after['cores']} cores, load average {load}; Python {after['python']}, DuckDB {after['duckdb']}")
    arguments.json.parent.mkdir(exist_ok=True)
    document = {"before": before, "after": after, "measured": [asdict(line) for line in measured]}
    arguments.json.write_text(json.dumps(document, indent=1))


def show(measured: Sequence[Measurement]) -> None:
    """Print the table."""
    table = Table(box=None, pad_edge=False)
    for name in ("group", "what", "median", "p99 or max", "CPU", "unit", "ratio", "runs", "note"):
        right = name in ("median", "p99 or max", "CPU", "ratio", "runs")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for line in measured:
        numbers = (_number(value) for value in (line.median, line.worst, line.cpu))
        ratio = f"{line.ratio:.1f}" if line.ratio is not None else ""
        table.add_row(line.group, line.name, *numbers, line.unit, ratio, str(line.runs), line.note)
    Console(width=160).print(table)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()
