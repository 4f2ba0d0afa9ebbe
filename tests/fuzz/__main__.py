"""Fuzz the HTTP surface of a real server: ``python -m tests.fuzz --seconds 600 --seed 1``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.project import target
from tests.fuzz.run import by_schema, random_bytes

SHOWN = 20


def main() -> int:
    """Run both halves; 1 when something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long, both halves together")
    parser.add_argument("--seed", type=int, default=1, help="another one sends other requests")
    given = parser.parse_args()
    memory = Path("/dev/shm")
    wrong: list[str] = []
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder,
        target(Path(folder) / "cards") as server,
    ):
        for name, half in (("random bytes", random_bytes), ("OpenAPI", by_schema)):
            found = half(server, given.seed, given.seconds / 2)
            print(f"{name}, seed {given.seed}: {found}", flush=True)
            wrong += found.wrong
        failures = [line for line in server.log.read_text().splitlines() if '"traceback"' in line]
        wrong += [f"in the log: {line}" for line in failures]
    for one in wrong[:SHOWN]:
        print(one, end="\n\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
