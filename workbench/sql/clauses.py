"""What the language adds to DuckDB's SELECT, clause by clause, with examples: data for the reference page and the help.

The examples read the tables :data:`TABLES`. ``python -m workbench.docs`` runs them and writes their results.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ExampleTable:
    """A table of the examples: column types, rows in order of arrival, and what ``create_table`` is told beside."""

    columns: dict[str, str]
    rows: tuple[tuple[Any, ...], ...]
    options: dict[str, str]


@dataclass(frozen=True)
class Clause:
    """A clause of the language.

    Parameters
    ----------
    title
        Its heading.
    keywords
        The words of the parser that it documents.
    text
        What it means, in Markdown.
    example
        A query over the example tables; none where the text says all.
    parameters
        Values of the example's ``:names``.
    views
        Views that the example reads, with their queries.
    """

    title: str
    keywords: tuple[str, ...]
    text: str
    example: str = ""
    parameters: tuple[tuple[str, Any], ...] = ()
    views: tuple[tuple[str, str], ...] = ()


def _at(day: int, hour: int) -> datetime:
    return datetime(2024, 1, day, hour)


#: The tables that the examples read. Two payments of ann have the same time; ``4`` has no amount.
TABLES = {
    "payments": ExampleTable(
        {"id": "BIGINT", "card": "VARCHAR", "at": "TIMESTAMP", "amount": "BIGINT", "shop": "VARCHAR"},
        (
            (1, "ann", _at(1, 10), 10, "food"),
            (2, "ann", _at(1, 12), 20, "fuel"),
            (3, "bob", _at(1, 12), 5, "food"),
            (4, "ann", _at(2, 12), None, "food"),
            (5, "ann", _at(3, 0), 40, "fuel"),
            (6, "ann", _at(3, 0), 30, "food"),
        ),
        {"time": "at"},
    ),
    "refunds": ExampleTable(
        {"card": "VARCHAR", "at": "TIMESTAMP", "amount": "BIGINT"},
        (("ann", _at(1, 11), -10), ("ann", _at(3, 0), -20)),
        {"time": "at"},
    ),
    "logins": ExampleTable(
        {"card": "VARCHAR", "at": "TIMESTAMP", "device": "VARCHAR", "ok": "BOOLEAN"},
        (
            ("ann", _at(1, 9), "phone", True),
            ("bob", _at(1, 11), "web", False),
            ("ann", _at(2, 20), "web", False),
            ("ann", _at(3, 0), "phone", True),
        ),
        {"time": "at"},
    ),
    "limits": ExampleTable(
        {"card": "VARCHAR", "at": "TIMESTAMP", "most": "BIGINT"},
        (("ann", _at(1, 0), 100), ("ann", _at(1, 11), 50)),
        {"time": "at", "delay": "6h"},
    ),
    "shops": ExampleTable({"shop": "VARCHAR", "city": "VARCHAR"}, (("food", "Rome"), ("fuel", "Oslo")), {}),
}

_DAY = (
    "WINDOW w AS (PARTITION BY card ORDER BY at\n             ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW"
)

#: Sections of the reference in order, each with a sentence and its clauses.
SECTIONS: dict[str, tuple[str, tuple[Clause, ...]]] = {
    "Queries": (
        "A feature view is one SELECT: one row of the table in FROM in (the *anchor*), one row of features out.",
        (
            Clause(
                "SELECT … FROM",
                ("SELECT", "FROM", "AS", "CAST", "TRY_CAST", "EXTRACT", "NOT"),
                "Expressions are DuckDB's, names and types included; `now()` is the anchor's time. An output may be "
                "used by name in the outputs after it. `*` and `table.*` stand for all columns.",
                "SELECT id, amount, coalesce(amount, 0) * 2 AS twice, twice + 1 AS more,\n"
                "       date_diff('hour', at, now()) AS age\nFROM payments",
            ),
            Clause(
                "WHERE",
                ("WHERE",),
                "Leaves rows out of the history and among the anchors alike. A request that it leaves out is answered "
                "with `features: null` and the reason. Joined columns may stand in it.",
                f"SELECT id, sum(amount) OVER w AS spent\nFROM payments\nWHERE shop = 'food'\n{_DAY})",
            ),
            Clause(
                "WITH, and a query in FROM",
                ("WITH",),
                "A query may stand wherever a table may: in FROM, LAST JOIN, WINDOW … FROM and WINDOW … UNION, written "
                "in place or named by WITH. Every row of it is what that query gives for a stored row, as of that "
                "row's own time.",
                "WITH spending AS (\n"
                f"    SELECT *, sum(amount) OVER w AS spent FROM payments {_DAY})\n)\n"
                "SELECT id, spent, max(spent) OVER h AS most FROM spending\n"
                "WINDOW h AS (PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "Views in a query",
                (),
                "The name of a view stands for its query: `name` is its newest version (else its draft), "
                "`name@3` version 3, `name@draft` the draft, each as it was at the definition. Lineage follows it; a "
                "view that reads itself is an error.",
                "SELECT id, spent, lag(spent, 1) OVER h AS before FROM spending\n"
                "WINDOW h AS (PARTITION BY card ORDER BY at)",
                views=(("spending", f"SELECT *, sum(amount) OVER w AS spent FROM payments {_DAY})"),),
            ),
            Clause(
                "UNION ALL",
                ("UNION",),
                "Puts the rows of several queries with the same column names into one source.",
                "SELECT id, count(*) OVER w AS events FROM payments\n"
                "WINDOW w AS (FROM (SELECT card, at FROM logins UNION ALL SELECT card, at FROM refunds) AS e\n"
                "             PARTITION BY card ORDER BY at)",
            ),
            Clause(
                ":name",
                (),
                "A parameter: a value bound when the view is defined, `project.define(name, sql, params={…})`.",
                "SELECT id, count(*) FILTER (WHERE amount > :large) OVER w AS large\nFROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at)",
                parameters=(("large", 15),),
            ),
            Clause(
                "discrete, continuous, …_label",
                (),
                "A signature around an output says what it is to a model, and leaves its value as it is: "
                "`continuous(x)`, `discrete(x)` or `discrete(x, buckets)`, `binary_label(x)`, `multiclass_label(x)`, "
                "`regression_label(x)`. Training sets are written by it (see the page `training`).",
                "SELECT id, discrete(shop, 100), continuous(amount) AS amount, binary_label(amount > 20) AS large\n"
                "FROM payments",
            ),
        ),
    ),
    "Joins": (
        "A join finds one row for each anchor row, of those that are visible to it.",
        (
            Clause(
                "LAST JOIN … ON",
                ("LAST", "JOIN", "ON"),
                "The newest visible row that satisfies the whole condition, or NULLs. At least one equality of a "
                "column of each side is needed; NULL matches nothing. A table without time is joined as it is now, "
                "and marked *static*.",
                "SELECT id, l.device, s.city\nFROM payments p\n"
                "LAST JOIN logins l ON l.card = p.card AND l.ok\nLAST JOIN shops s ON s.shop = p.shop",
            ),
            Clause(
                "LAST JOIN … ORDER BY … ON",
                ("ORDER", "BY"),
                "The greatest value of another column, the last to arrive among equals.",
                "SELECT id, m.most\nFROM payments p\nLAST JOIN limits m ORDER BY most ON m.card = p.card",
            ),
            Clause(
                "Rows that are known later",
                (),
                '`limits` has `delay="6h"`: the limit of 11:00 is not there at 12:00. Windows over such tables, and '
                "the history of such an anchor, keep to it too.",
                "SELECT id, m.most\nFROM payments p\nLAST JOIN limits m ON m.card = p.card",
            ),
            Clause(
                "LAST JOIN onto a query",
                (),
                "Its rows are those of the query, each as of its own time.",
                "SELECT id, l.device, l.tries\nFROM payments p\nLAST JOIN (\n"
                "    SELECT *, count(*) OVER h AS tries FROM logins WINDOW h AS (PARTITION BY card ORDER BY at)\n"
                ") AS l ON l.card = p.card",
            ),
            Clause(
                "LAST JOIN onto groups",
                ("GROUP",),
                "A query with GROUP BY, joined on its keys, aggregates the rows that are visible to the anchor; NULLs "
                "where there are none, or where HAVING does not hold.",
                "SELECT id, g.logins, g.failed\nFROM payments p\nLAST JOIN (\n"
                "    SELECT card, count(*) AS logins, count(*) FILTER (WHERE NOT ok) AS failed\n"
                "    FROM logins GROUP BY card\n"
                ") AS g ON g.card = p.card",
            ),
            Clause(
                "Joined columns in windows",
                (),
                "A row of the history has the joined values that it had at its own time.",
                "SELECT id, s.city, count(DISTINCT s.city) OVER w AS cities\nFROM payments p\n"
                "LAST JOIN shops s ON s.shop = p.shop\nWINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
        ),
    ),
    "Windows": (
        "An aggregate sees the rows of a window. Evaluation order: sources, visibility, INSTANCE_NOT_IN_WINDOW and "
        "EXCLUDE CURRENT_TIME, numbering from the newest row (the request is 0), frame, EXCLUDE CURRENT_ROW, MAXSIZE.",
        (
            Clause(
                "WINDOW … AS (PARTITION BY … ORDER BY …)",
                ("WINDOW", "PARTITION", "OVER"),
                "The anchor row and its history: the rows of its table with the same key that were there before it. "
                "NULL is a key of its own. The order is a time, a date or an integer column. Without a frame: "
                "everything up to the anchor row. A window may also stand in OVER (…) itself.",
                "SELECT id, count(*) OVER w AS payments, sum(amount) OVER (PARTITION BY shop ORDER BY at) AS sold\n"
                "FROM payments\nWINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "ROWS BETWEEN … PRECEDING AND …",
                ("ROWS", "BETWEEN", "AND", "PRECEDING", "CURRENT", "ROW", "CURRENT_ROW", "UNBOUNDED"),
                "Counts rows back from the anchor row, which is 0. `UNBOUNDED PRECEDING` is everything, `CURRENT ROW` "
                "is 0.",
                "SELECT id, list(amount) OVER w AS before FROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING)",
            ),
            Clause(
                "ROWS_RANGE or RANGE BETWEEN …",
                ("ROWS_RANGE", "RANGE", "GROUPS"),
                "Measures how long ago: `us`, `ms`, `s`, `m`, `h`, `d`, `w` right behind a number, or an INTERVAL of "
                "fixed length; plain numbers where the order is an integer. Both ends belong to the frame. Unlike "
                "plain SQL, rows of the anchor's own time that arrived later are never seen. GROUPS is not available.",
                f"SELECT id, list(amount) OVER w AS day FROM payments\n{_DAY})",
            ),
            Clause(
                "OPEN",
                ("OPEN",),
                "Leaves that end out of the frame. `0s OPEN PRECEDING` is strictly before the anchor's time.",
                "SELECT id, list(amount) OVER w AS day FROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at\n"
                "             ROWS_RANGE BETWEEN 12h OPEN PRECEDING AND 0s OPEN PRECEDING)",
            ),
            Clause(
                "MAXSIZE",
                ("MAXSIZE",),
                "Keeps the newest rows of the frame, the anchor row included.",
                f"SELECT id, list(amount) OVER w AS newest FROM payments\n{_DAY} MAXSIZE 2)",
            ),
            Clause(
                "EXCLUDE CURRENT_ROW",
                ("EXCLUDE",),
                "Leaves the anchor row out; others of its time stay.",
                f"SELECT id, list(amount) OVER w AS others FROM payments\n{_DAY} EXCLUDE CURRENT_ROW)",
            ),
            Clause(
                "EXCLUDE CURRENT_TIME",
                ("CURRENT_TIME",),
                "Leaves other rows of the anchor's time out; the anchor row stays. Both EXCLUDEs together leave what "
                "is strictly before.",
                f"SELECT id, list(amount) OVER w AS earlier FROM payments\n{_DAY} EXCLUDE CURRENT_TIME)",
            ),
            Clause(
                "WINDOW … FROM",
                (),
                "A window over another table alone, or over a query: the rows with the anchor's key that are visible "
                "to it, counted from 1. The key is the anchor's column of the same name, or written as an equality; "
                "NULL matches nothing. Columns of the anchor may be used as constants, with their alias.",
                "SELECT id, count(*) OVER w AS logins, list(device) FILTER (WHERE l.at < p.at) OVER w AS earlier\n"
                "FROM payments p\n"
                "WINDOW w AS (FROM logins l WHERE ok PARTITION BY l.card = p.card ORDER BY at ROWS_RANGE BETWEEN 3d "
                "PRECEDING AND CURRENT ROW)",
            ),
            Clause(
                "WINDOW … UNION",
                (),
                "Adds rows of other tables or queries to the history. Columns match by name and are NULL where a table "
                "lacks them; the key and the order must be there. At equal times the anchor's table is the newest, "
                "then the others as listed.",
                "SELECT id, list(amount) OVER w AS both FROM payments\n"
                "WINDOW w AS (UNION refunds PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "INSTANCE_NOT_IN_WINDOW",
                ("INSTANCE_NOT_IN_WINDOW",),
                "Leaves the anchor's stored history out; the anchor row and the rows of UNION stay.",
                "SELECT id, list(amount) OVER w AS refunds FROM payments\n"
                "WINDOW w AS (UNION refunds PARTITION BY card ORDER BY at INSTANCE_NOT_IN_WINDOW)",
            ),
        ),
    ),
    "Aggregates": (
        "Any aggregate of DuckDB, or of the functions below, OVER a window. Rows are fed from oldest to newest.",
        (
            Clause(
                "FILTER (WHERE …)",
                ("FILTER",),
                "Feeds only the rows that satisfy a condition.",
                "SELECT id, sum(amount) FILTER (WHERE shop = 'food') OVER w AS food FROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "DISTINCT, ORDER BY",
                ("DISTINCT",),
                "Inside the parentheses: each value once, where it comes first; in another order than the window's, "
                "equal values oldest first, NULLs last.",
                "SELECT id, count(DISTINCT shop) OVER w AS shops, list(amount ORDER BY amount DESC) OVER w AS sorted\n"
                "FROM payments\nWINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "WITHIN GROUP",
                ("WITHIN",),
                "The standard's way to write quantiles: `quantile_cont(0.5) WITHIN GROUP (ORDER BY x)` is "
                "`quantile_cont(x, 0.5)`.",
                "SELECT id, quantile_cont(0.5) WITHIN GROUP (ORDER BY amount) OVER w AS middle FROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "first_value, last_value, nth_value, IGNORE NULLS",
                ("IGNORE", "RESPECT", "NULLS"),
                "The oldest, the newest and the n-th oldest row of the frame; `IGNORE NULLS` skips those without a "
                "value.",
                "SELECT id, last_value(amount) OVER w AS newest, last_value(amount IGNORE NULLS) OVER w AS known,\n"
                "       nth_value(amount, 2) OVER w AS second\nFROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "lag",
                (),
                "`lag(x, n)` is the value n rows before the anchor row, whatever the frame, MAXSIZE and EXCLUDE "
                "CURRENT_ROW say. `lead` and FOLLOWING look ahead: only labels may.",
                "SELECT id, amount - lag(amount, 1) OVER w AS change FROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
            Clause(
                "An aggregate inside an aggregate",
                (),
                "It is a constant: its value over the same window for the anchor row.",
                "SELECT id, sum(abs(amount - avg(amount))) OVER w AS spread FROM payments\n"
                "WINDOW w AS (PARTITION BY card ORDER BY at)",
            ),
        ),
    ),
    "Labels": (
        "What is to be predicted lies in the future of the row. `%%label NAME` and `project.define_label(name, sql)` "
        "define it; it is computed offline only and never deployed.",
        (
            Clause(
                "FOLLOWING",
                ("FOLLOWING",),
                "Rows after the anchor row. Anchors whose horizon has not passed have no label yet and are left out. "
                "The page `training` has examples.",
            ),
        ),
    ),
}


def keywords() -> set[str]:
    """Return the words of the language that the clauses document."""
    return {word for _, clauses in SECTIONS.values() for clause in clauses for word in clause.keywords}


__all__ = ["SECTIONS", "TABLES", "Clause", "ExampleTable", "keywords"]
