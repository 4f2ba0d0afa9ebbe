"""Cases run through the public API: request by request, and in bulk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import workbench as wb
from tests.conformance.cases import Case, CaseTable
from tests.conformance.compare import difference

MODES = ("request", "offline")


@dataclass(frozen=True)
class Outcome:
    """What came of a case in a mode; ``problem`` is None where it passed."""

    case: Case
    mode: str
    problem: str | None


def run(case: Case, modes: Iterable[str] = MODES) -> list[Outcome]:
    """Run a case in a project of its own, first by requests, then in bulk over the rows that are there by then."""
    folder = Path(tempfile.mkdtemp(dir=_memory(), prefix="conformance-"))
    wanted = [mode for mode in MODES if mode in modes]
    try:
        with wb.open(folder / "project") as project:
            return _Replay(project, case).outcomes(wanted)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> str | None:
    """A file system in memory where there is one: nothing of this must outlive the run."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


class _Replay:
    def __init__(self, project: wb.Project, case: Case) -> None:
        self.project = project
        self.case = case

    def outcomes(self, modes: list[str]) -> list[Outcome]:
        try:
            for table in self.case.tables:
                self.project.create_table(table.name, table.columns, time=table.time)
            self.view = self._define()
            self._load_others()
        except Exception as error:
            return [Outcome(self.case, mode, _words(error)) for mode in modes]
        return [self._outcome(mode, stored="request" in modes) for mode in modes]

    def _define(self) -> wb.View:
        given: dict[str, Any] = {}
        if self.case.parameters is not None:
            given["params"] = {f"p{number}": v for number, v in enumerate(self.case.parameters, start=1)}
        return self.project.define("result", self.case.sql, dialect="openmldb", **given)

    def _load_others(self) -> None:
        everything = self.case.requests is not None
        for table in self.case.tables:
            if table.rows and (everything or table.name.casefold() != self.view.anchor.casefold()):
                self.project.table(table.name).append(table.rows)

    def _outcome(self, mode: str, stored: bool) -> Outcome:
        try:
            names, found = self._request() if mode == "request" else self._offline(stored)
            return Outcome(self.case, mode, self._difference(names, found))
        except Exception as error:
            return Outcome(self.case, mode, _words(error))

    def _anchor(self) -> CaseTable:
        return next(t for t in self.case.tables if t.name.casefold() == self.view.anchor.casefold())

    def _request(self) -> tuple[list[str], list[tuple[Any, ...]]]:
        found = []
        anchor = self.project.table(self.view.anchor)
        stored = self.case.requests is None
        problem: Exception | None = None
        features: dict[str, Any] | None = None
        for row in self._anchor().rows if stored else self.case.requests or []:
            try:
                features = self.view.request(row) if problem is None else None
            except Exception as error:
                problem = error
            if features is not None and problem is None:
                found.append(tuple(features.values()))
            if stored:
                anchor.append([row])
        if problem is not None:
            raise problem
        return list(self.view.schema), found

    def _offline(self, stored: bool) -> tuple[list[str], list[tuple[Any, ...]]]:
        if self.case.requests is not None:
            result = self.view.offline(spine=self.case.requests)
        else:
            anchor = self._anchor()
            if not stored and anchor.rows:
                self.project.table(anchor.name).append(anchor.rows)
            result = self.view.offline()
        rows = result.to_pyarrow().select(list(self.view.schema))
        columns = [column.to_pylist() for column in rows.columns]
        return rows.column_names, list(zip(*columns, strict=True))

    def _difference(self, names: list[str], found: list[tuple[Any, ...]]) -> str | None:
        case, schema = self.case, self.view.schema
        if len(names) != len(case.names):
            return f"the columns are {names} instead of {list(case.names)}"
        for name, expected, kind in zip(names, numbered(case.names), case.types, strict=True):
            if name.casefold() != expected.casefold():
                return f"a column is named {name!r} instead of {expected!r}"
            if schema[name] != kind:
                return f"{name} is {schema[name]} instead of {kind}"
        return difference(case.names, case.types, case.rows, found, case.order)


def numbered(names: Iterable[str]) -> list[str]:
    """Return names with a number where one stands again: rows are dicts here, and lists of values in OpenMLDB.

    >>> numbered(["a", "b", "a"])
    ['a', 'b', 'a_2']
    """
    found: list[str] = []
    for name in names:
        number, unique = 1, name
        while unique.casefold() in (known.casefold() for known in found):
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return found


def _words(error: Exception) -> str:
    if isinstance(error, wb.WorkbenchError):
        return f"{type(error).__name__}: {error.message}"
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
