"""Rounds of killed processes on one project: what was acknowledged is there, once, and answers are right."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import workbench as wb
from tests.safety.worker import CARDS, COLUMNS, START, TABLE, VIEWS
from workbench.catalog import deployments
from workbench.deployment import ensure_server, find_server, stop_server
from workbench.project import Project

#: How many requests are compared with a project that was loaded anew from the same rows.
ASKED = 12
#: After so many rows the project is begun anew, so that rounds stay quick.
MOST_ROWS = 60_000


class Crashes:
    """One project through many rounds.

    Parameters
    ----------
    folder
        Where the project lies.
    seed
        Decides everything but the moment of a kill from outside.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.acknowledged: dict[str, int] = {}
        self.rounds = self.projects = 0
        self.rows = self.noted = self.compared = self.answered = 0
        self._begin()

    def round(self) -> None:
        """Let one or two processes work, kill them, and look."""
        self.rounds += 1
        workers = [self._worker(number) for number in range(self.random.choice((1, 1, 2)))]
        for worker in workers:
            self._watch(worker)
        with self._opened() as project:
            self._look(project)
            self._compare(project)
            self._ask_server(project)
        if self.rows > MOST_ROWS:
            self.close()
            self._begin()

    def close(self) -> None:
        """Stop the server of the project, if one runs."""
        stop_server(self.path)

    def _begin(self) -> None:
        self.projects += 1
        self.path = self.folder / f"project{self.projects}"
        self.acknowledged = {}
        with self._opened() as project:
            project.create_table(TABLE, COLUMNS, time="at")
            for name, sql in VIEWS.items():
                project.define(name, sql)

    @contextmanager
    def _opened(self) -> Iterator[Project]:
        project = wb.open(self.path)
        try:
            yield project
        finally:
            project.close()

    def _worker(self, number: int) -> subprocess.Popen[str]:
        steps = self.random.choice((0, self.random.randrange(1, 60), self.random.randrange(20, 400)))
        seed = self.random.getrandbits(40)
        words = [str(self.path), f"r{self.rounds}.{number}", str(seed), str(steps)]
        return subprocess.Popen(
            [sys.executable, "-m", "tests.safety.worker", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _watch(self, worker: subprocess.Popen[str]) -> None:
        """Kill a worker after some acknowledgements, unless it dies before."""
        assert worker.stdout is not None
        for _ in range(self.random.randrange(1, 30)):
            if not self._note(worker.stdout.readline()):
                break
        worker.send_signal(signal.SIGKILL)
        output, errors = worker.communicate()
        for line in output.splitlines():
            self._note(line)
        assert worker.returncode == -signal.SIGKILL, errors

    def _note(self, line: str) -> bool:
        words = line.split()
        if len(words) == 3 and words[0] == "stored":
            self.acknowledged[words[1]] = int(words[2])
            self.noted += 1
        return bool(line)

    def _look(self, project: Project) -> None:
        """Acknowledged batches are there once and whole, and nothing is there in part or twice."""
        rows = project.sql(f"SELECT batch, size, count(*), count(DISTINCT id) FROM {TABLE} GROUP BY ALL")
        found: dict[str, int] = {}
        for batch, size, count, ids in zip(*rows.to_pyarrow().to_pydict().values(), strict=True):
            assert batch not in found, f"batch {batch} has two sizes"
            assert count == size == ids, f"batch {batch} of {size} rows has {count}, {ids} of them different"
            found[batch] = count
        lost = {batch for batch in self.acknowledged if found.get(batch) != self.acknowledged[batch]}
        assert not lost, f"acknowledged rows are lost: {sorted(lost)}"
        self.rows = sum(found.values())
        assert project.storage.row_count(TABLE) == self.rows

    def _compare(self, project: Project) -> None:
        """Requests are answered as by a project that got the same rows in the same order."""
        asked = [self._request() for _ in range(ASKED)]
        with tempfile.TemporaryDirectory() as folder, _replayed(project, Path(folder)) as fresh:
            for name in VIEWS:
                ours, theirs = project.view(name), fresh.view(name)
                for row in asked:
                    answer, expected = ours.request(row), theirs.request(row)
                    assert answer == expected, f"{name}{row}: {answer}, replayed {expected}"
                    self.compared += 1

    def _ask_server(self, project: Project) -> None:
        """What is deployed answers over HTTP as the version in this process does; then the server may be killed."""
        for deployed in deployments.current(project.storage):
            ensure_server(project.path)
            row = self._request() | {"batch": "asked"}
            answer = project.deployment(deployed.view).request(row)
            assert answer == project.view(deployed.view, deployed.version).request(row)
            self.answered += 1
        server = find_server(project.path)
        if server is not None and self.random.random() < 0.5:
            os.kill(server.pid, signal.SIGKILL)

    def _request(self) -> dict[str, Any]:
        at = START + timedelta(seconds=self.random.randrange(100_000))
        size = self.random.randrange(1, 40)
        return {"card": self.random.randrange(CARDS), "at": at, "id": 1, "size": size, "amount": 1.5}


@contextmanager
def _replayed(project: Project, folder: Path) -> Iterator[Project]:
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    fresh = wb.open(folder / "fresh")
    try:
        fresh.create_table(TABLE, COLUMNS, time="at")
        with project.storage.snapshot() as snapshot, project.storage.connect() as connection:
            relation = snapshot.relation(connection, TABLE)
            rows = connection.execute(f"SELECT {names} FROM {relation} ORDER BY __seq").to_arrow_table()
        if rows.num_rows:
            fresh.storage.bulk_load(TABLE, rows.to_reader())
        for name, sql in VIEWS.items():
            fresh.define(name, sql)
        yield fresh
    finally:
        fresh.close()


def run(folder: Path, rounds: int, seed: int) -> Counter[str]:
    """Run rounds and return what happened."""
    crashes = Crashes(folder, seed)
    try:
        for _ in range(rounds):
            crashes.round()
    finally:
        crashes.close()
    return Counter(
        rounds=crashes.rounds,
        projects=crashes.projects,
        acknowledged=crashes.noted,
        compared=crashes.compared,
        answered_over_http=crashes.answered,
    )
