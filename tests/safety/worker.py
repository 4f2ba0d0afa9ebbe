"""A process that works on a project until it is killed, often by itself at a step of the file protocol.

python -m tests.safety.worker FOLDER NAME SEED STEPS    STEPS: how many steps until it kills itself, 0: never

It prints a line for everything that was acknowledged: ``stored BATCH ROWS`` after an append or a load returned.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

import workbench as wb
from workbench.project import Project

TABLE = "payments"
COLUMNS = {
    "card": "BIGINT",
    "at": "TIMESTAMP",
    "id": "BIGINT",
    "batch": "VARCHAR",
    "size": "BIGINT",
    "amount": "DOUBLE",
}
CARDS = 7
START = datetime(2026, 1, 1)
#: How often a worker deploys after what it did.
DEPLOYS = 0.03
VIEWS = {
    "short": "SELECT count(*) OVER w AS n, sum(amount) OVER w AS total FROM payments"
    " WINDOW w AS (PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 2h PRECEDING AND CURRENT ROW)",
    "long": "SELECT count(*) OVER w AS n, avg(amount) OVER w AS mean, stddev_samp(amount) OVER w AS spread,"
    " min(amount) OVER w AS least, count(DISTINCT size) OVER w AS sizes FROM payments"
    " WINDOW w AS (PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "newest": "SELECT max(amount) OVER w AS most, first_value(id) OVER w AS oldest FROM payments"
    " WINDOW w AS (PARTITION BY size ORDER BY at ROWS BETWEEN 50 PRECEDING AND CURRENT ROW)",
}


def batch_of(random_: random.Random, name: str, rows: int) -> pa.Table:
    """Rows of one batch; each carries how many there are, so that half a batch is noticed."""
    numbers = [random_.getrandbits(60) for _ in range(rows)]
    values: dict[str, list[Any]] = {
        "card": [number % CARDS for number in numbers],
        "at": [START + timedelta(seconds=number // CARDS % 86_400) for number in numbers],
        "id": numbers,
        "batch": [name] * rows,
        "size": [rows] * rows,
        "amount": [number % 10_007 / 8 for number in numbers],
    }
    types = [pa.int64(), pa.timestamp("us"), pa.int64(), pa.string(), pa.int64(), pa.float64()]
    arrays = [pa.array(column, kind) for column, kind in zip(values.values(), types, strict=True)]
    return pa.table(dict(zip(COLUMNS, arrays, strict=True)))


class Worker:
    """Does one random thing after the other."""

    def __init__(self, project: Project, name: str, random_: random.Random) -> None:
        self.project = project
        self.table = project.table(TABLE)
        self.name = name
        self.random = random_
        self.number = 0

    def run(self) -> None:
        """Never returns."""
        things: list[Callable[[], None]] = [self.append] * 5 + [
            self.flush,
            self.load,
            self.index,
            self.compact,
        ]
        while True:
            self.random.choice(things)()
            if self.random.random() < DEPLOYS:
                self.deploy()

    def append(self) -> None:
        """Append a few rows."""
        name, rows = self._next(40)
        self.table.append(rows)
        say("stored", name, rows.num_rows)

    def load(self) -> None:
        """Load rows past the log."""
        name, rows = self._next(3000)
        self.project.storage.bulk_load(TABLE, rows.to_reader(max_chunksize=500))
        say("stored", name, rows.num_rows)

    def flush(self) -> None:
        """Move rows into files."""
        self.project.storage.flush(TABLE)

    def compact(self) -> None:
        """Merge all files of the table."""
        getattr(self.table, "compact", self.flush)()

    def index(self) -> None:
        """Build or extend the indexes of a view, drop those of drafts."""
        name = self.random.choice(list(VIEWS))
        self.project.view(name).request({"card": 1, "id": 1, "size": 3, "amount": 1.0, "at": START})
        if self.random.random() < 0.3:
            self.project.storage.drop_draft_indexes()

    def deploy(self) -> None:
        """Publish a view, one of two queries by its name in turns."""
        name = self.random.choice(list(VIEWS))
        where = self.random.choice(("", " WHERE size > 0"))
        sql = VIEWS[name].replace("FROM payments", f"FROM payments{where}")
        deployment = self.project.define(name, sql).deploy()
        say("deployed", name, deployment.version)

    def _next(self, most: int) -> tuple[str, pa.Table]:
        self.number += 1
        name = f"{self.name}-{self.number}"
        return name, batch_of(self.random, name, self.random.randrange(1, most))


def say(*words: object) -> None:
    """Print one line at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def die_after(steps: int, random_: random.Random) -> None:
    """Have the process kill itself before or after the so-manieth step of the file protocol or of a transaction."""
    left = steps

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            after = random_.random() < 0.5
            if left == 0 and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*args, **named)
            if left == 0 and after:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for name in ("fsync", "fdatasync", "rename", "replace", "unlink", "link"):
        if hasattr(os, name):
            setattr(os, name, counted(getattr(os, name)))
    for name in ("unlink", "rename", "replace"):
        setattr(Path, name, counted(getattr(Path, name)))
    connect = sqlite3.connect

    class Counted(sqlite3.Connection):
        """A connection whose statements that begin or end a transaction are steps."""

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql.lstrip()[:6].upper() in ("COMMIT", "BEGIN ", "INSERT", "DELETE", "UPDATE"):
                return counted(super().execute)(sql, *args)
            return super().execute(sql, *args)

    def connected(*args: Any, **named: Any) -> sqlite3.Connection:
        return connect(*args, **({"factory": Counted} | named))

    sqlite3.connect = connected  # type: ignore[assignment]


def main() -> None:
    """Work until killed."""
    folder, name, seed, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    random_ = random.Random(seed)
    if steps:
        die_after(steps, random.Random(seed + 1))
    Worker(wb.open(folder), name, random_).run()


if __name__ == "__main__":
    main()
