"""Pairs of tables and queries: one set of tables, several queries, compared as rows arrive."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from .brute_force import Table
from .catalogue import CATALOGUE
from .compare import Comparison, Disagreement, arrow, options
from .data import Data, draw_data
from .expressions import OWN
from .generate import draw_query
from .query import Aggregate, Call, Query, nodes
from .reproduce import describe
from .text import render, views

QUERIES = 12  # on one set of tables
STATES = 8  # of the tables, at most, that a query is compared on

OWN_SCALARS = {name for forms in OWN.values() for name, _ in forms}

#: What is counted, by what the text of a query holds.
SAID = {
    "ROWS frame": r"\bROWS BETWEEN",
    "RANGE frame": r"\b(ROWS_)?RANGE BETWEEN",
    "OPEN": "OPEN PRECEDING",
    "MAXSIZE": "MAXSIZE",
    "EXCLUDE CURRENT_ROW": "EXCLUDE CURRENT_ROW",
    "EXCLUDE CURRENT_TIME": "EXCLUDE CURRENT_TIME",
    "INSTANCE_NOT_IN_WINDOW": "INSTANCE_NOT_IN_WINDOW",
    "WINDOW UNION": r"\(UNION ",
    "WINDOW FROM": r"\(FROM ",
    "WINDOW FROM query": r"\(FROM \(SELECT",
    "UNION ALL": "UNION ALL",
    "LAST JOIN": "LAST JOIN",
    "LAST JOIN query": r"LAST JOIN \(SELECT",
    "LAST JOIN ORDER BY": r"LAST JOIN .* ORDER BY .* ON ",
    "GROUP BY": "GROUP BY",
    "HAVING": "HAVING",
    "WHERE": r"\bWHERE ",
    "FILTER": r"FILTER \(WHERE",
    "WITH": r"\bWITH ",
    "FROM query": r"\nFROM \(SELECT",
    "ORDER BY in aggregate": r"\w\([^()]* ORDER BY [^()]*\)",
    "IGNORE NULLS": "IGNORE NULLS",
    "DISTINCT": r"\(DISTINCT",
    "lag": r"\blag\(",
    "first_value": r"\bfirst_value\(",
    "last_value": r"\blast_value\(",
    "nth_value": r"\bnth_value\(",
    "parameter": r"(?<![:\w]):[a-z]",
}


@dataclass(frozen=True)
class Failure:
    """A pair that differs (or, where it does not, an error), and what is needed to see it again."""

    place: str
    what: str
    differs: bool
    data: Data
    query: Query
    turn: int

    def __str__(self) -> str:
        return f"{self.place}: {self.what}\n{describe(self.data, self.query)}"


@dataclass
class Outcome:
    """What comparing gave."""

    pairs: int = 0
    values: int = 0
    clauses: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    compiled: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)

    def count(self, comparison: Comparison) -> None:
        """Count which driver answered, how much, and why it was not the compiled one."""
        if comparison.refusals is None:
            return
        self.compiled["plans"] += 1
        self.compiled["plans compiled"] += not comparison.refusals
        self.compiled["values compiled"] += comparison.compiled
        self.compiled["rows left to the reference driver"] += comparison.left
        if comparison.left:
            self.refusals[f"a row: {comparison.why}"] += 1
        self.refusals.update(dict.fromkeys(comparison.refusals, 1))


def said(query: Query) -> set[str]:
    """The clauses that a query is counted under."""
    text = render(query)
    found = {name for name, pattern in SAID.items() if re.search(pattern, text)}
    if query.joins and any(not window.source for window in query.windows):
        found.add("LAST JOIN beside history")
    calls = {node.name for node in nodes(query) if isinstance(node, Aggregate | Call)}
    found |= {"function of the language"} if calls & (CATALOGUE.keys() | OWN_SCALARS) else set()
    found |= {"view in a query"} if views(query) else set()
    return found


def upto(data: Data, batches: int) -> Data:
    """The data after its first batches."""
    tables = {name: replace(table, rows=[]) for name, table in data.tables.items()}
    for batch in data.batches[:batches]:
        tables[batch.table].rows.extend(batch.rows)
    return replace(data, tables=tables, batches=data.batches[:batches])


def compared(comparison: Comparison, number: int) -> list[Disagreement]:
    """Everything is compared offline; rows that are asked, new or stored, and the other ways of asking take turns."""
    stored = [row.values for row in comparison.own.rows]
    asked = stored[number % len(stored)] if stored and number % 3 == 0 else comparison.data.spine[number % 6]
    found = comparison.offline() + comparison.request([asked]) + comparison.drivers()
    if number % 2:
        return found
    number //= 2
    turns = [
        comparison.spine,
        lambda: comparison.preview(5),
        comparison.check,
        comparison.spine_of_stored_rows,
        comparison.restricted,
        comparison.check,
        comparison.plain_sql,
    ]
    return found + turns[number % len(turns)]()


def run_set(project: Any, seed: int, clauses: Collection[str], queries: int = QUERIES) -> Outcome:
    """Draw tables and queries; compare as rows arrive, and after all have."""
    data, outcome, counts = draw_data(seed), Outcome(), Counter[str]()
    if "id" in clauses and seed % 3 == 0:
        data.tables[data.anchor].id = "id"
    drawn = [draw_query(data, seed * 100 + number, clauses=clauses) for number in range(queries)]
    defined: dict[int, Any] = {}
    loaded = 0
    for name, table in data.tables.items():
        project.create_table(name, _empty(table), **options(table))
    whole = len(data.batches)
    part = random.Random(f"part {seed}")
    states = sorted({*(part.randint(1, whole) for _ in range(STATES - 1)), whole})
    for state, batches in enumerate(states):
        for batch in data.batches[loaded:batches]:
            project.table(batch.table).append([row.values for row in batch.rows])
        loaded = batches
        if (seed + state) % 2:
            project.storage.flush()
        now = upto(data, batches)
        for number, query in enumerate(drawn):
            found: list[Disagreement] = []
            try:
                comparison = Comparison(project, now, query, f"v{number}", defined.get(number))
                defined[number] = comparison.view
                found = compared(comparison, number + state)
                what = "\n".join(str(one) for one in found[:3])
                outcome.values += comparison.values
                outcome.count(comparison)
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
            if what:
                place = f"seed {seed}, query {number} after {batches} batches"
                outcome.failures.append(Failure(place, what, bool(found), now, query, number + state))
            else:
                outcome.pairs += 1
                counts.update(said(query))
    outcome.clauses = dict(counts)
    return outcome


def _empty(table: Table) -> Any:
    return arrow(table, [])
