"""A plan as text is a query from which the same plan is made."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import shop
from tests.plan.conftest import NAMES, TABLES
from tests.semantics.compare import defined, load
from tests.semantics.data import Data, draw_data
from tests.semantics.generate import CLAUSES, draw_query
from tests.semantics.query import parameters
from tests.semantics.text import render
from workbench import open as open_project
from workbench.errors import DefinitionError
from workbench.plan.model import FeaturePlan
from workbench.plan.tables import SourceTable
from workbench.plan.text import text_of
from workbench.plan.text_expr import RESERVED, name
from workbench.sql.define import define
from workbench.sql.dialect import FeatureDialect
from workbench.sql.functions import Functions

SEEDS, QUERIES = 50, 4
BIG = {
    "tx": SourceTable("tx", shop.TX, "ts", delay=3_600_000_000, ttl=2_592_000_000_000),
    "logins": SourceTable(
        "logins", {**shop.LOGINS, "landed": "TIMESTAMP"}, "at", known="landed", ttl=86_400_000_000
    ),
}


def made_again(plan: FeaturePlan, tables: dict[str, SourceTable], functions: Functions) -> FeaturePlan:
    return define(text_of(plan, tables), tables, functions)


def means(plan: FeaturePlan, same: FeaturePlan, tables: dict[str, SourceTable], functions: Functions) -> bool:
    """Whether the plan is made again; text of DuckDB's, which functions stand for, is read as what it says."""
    if same.hash == plan.hash:
        return True
    return '"sql"' in plan.to_json() and made_again(same, tables, functions).hash == same.hash


@pytest.mark.parametrize("query", NAMES)
def test_the_catalogue(plans: dict[str, FeaturePlan], functions: Functions, query: str) -> None:
    plan = plans[query]
    assert means(plan, made_again(plan, TABLES, functions), TABLES, functions)


def tables_of(data: Data) -> dict[str, SourceTable]:
    """The drawn tables as queries see them."""
    return {
        name: SourceTable(
            name, dict(table.columns), table.time, micros(table.delay) or 0, table.known, micros(table.ttl)
        )
        for name, table in data.tables.items()
    }


def micros(length: timedelta | None) -> int | None:
    return length // timedelta(microseconds=1) if length else None


def printed(plan: FeaturePlan, tables: dict[str, SourceTable]) -> str | None:
    """The text of a plan, or None where the dialect has no words for it."""
    try:
        return text_of(plan, tables)
    except DefinitionError:
        return None


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_queries(functions: Functions, seed: int) -> None:
    """The same plan, but where plans stand on plans: those may be written otherwise and mean the same."""
    data = draw_data(seed)
    tables = tables_of(data)
    for number in range(QUERIES):
        drawn = draw_query(data, seed * QUERIES + number, clauses=CLAUSES - {"views"})
        query, params = render(drawn), parameters(drawn) or None
        plan = define(query, tables, functions, params=params)
        text = printed(plan, tables)
        if text is None:
            assert plan.derived(), query
            continue
        same = define(text, tables, functions)
        assert same.features == plan.features
        assert plan.derived() or means(plan, same, tables, functions), f"{query}\n--\n{text}"


@pytest.mark.parametrize("seed", range(8))
def test_random_queries_give_the_same_values(tmp_path: Path, seed: int) -> None:
    data = draw_data(seed)
    with open_project(tmp_path / "p") as project:
        load(project, data)
        for number in range(6):
            with contextlib.suppress(DefinitionError):
                view = defined(project, draw_query(data, 1000 + seed * 6 + number), "v")
            if number > 1 and not view.plan.derived():
                continue
            text = printed(view.plan, project.source_tables())
            if text is None:
                continue
            again = project.define("again", text)
            # As text: nan is not equal to itself.
            rows = [sorted(map(str, v.offline().to_pyarrow().to_pylist())) for v in (view, again)]
            assert rows[0] == rows[1], text


#: Text to the expression that is printed for it; None where it is the text itself.
EXPRESSIONS: dict[str, str | None] = {
    "n + 1 - 2": None,
    "n - (1 - 2)": None,
    "(n + 1) * 2": None,
    "n + 1 * 2": None,
    "(n + 5) % 3 * 2": "((n + 5) % 3) * 2",
    "n + 5 % 3": "n + (5 % 3)",
    "-n": None,
    "-(3)": None,
    "n - -3": None,
    "(-3) ** 2": None,
    "~n + 1": "~(n + 1)",
    "(~n) + 1": None,
    "n > 1 AND (n < 5 OR n = 7)": None,
    "n > 1 AND n < 5 AND n <> 3": None,
    "n > 1 AND (n < 5 AND n <> 3)": None,
    "NOT (n > 1)": None,
    "NOT (n > 1 AND n < 3)": None,
    "n IS NOT NULL": None,
    "(n > 1) IS NULL": None,
    "n NOT IN (1, 2)": None,
    "n + 1 BETWEEN 2 AND n + 3": None,
    "mcc NOT LIKE 'f%'": None,
    "mcc LIKE 'f!%' ESCAPE '!'": None,
    "(n > 1) = (n < 3)": None,
    "mcc || '-' || card": None,
    "mcc || ('-' || card)": None,
    "CAST(n AS VARCHAR)": None,
    "n::DOUBLE / 2": "CAST(n AS DOUBLE) / 2",
    "CASE WHEN n > 1 THEN 'a' WHEN n > 0 THEN 'b' ELSE 'c' END": None,
    "tags[1]": None,
    "tags[-1]": None,
    "tags[n]": None,
    "tags[1:2]": None,
    "[n, 2]": None,
    "{'a': n, 'b': mcc}": None,
    "list_transform(tags, lambda t: t || mcc)": None,
    "list_filter(tags, lambda tags: tags <> 'x')": None,
    "place.city": None,
    "ts + INTERVAL 3 DAY": None,
    "ts + to_days(CAST(n AS INTEGER))": None,
    "DATE '2024-01-01'": None,
    "extract(hour FROM ts)": None,
    "now() - INTERVAL 1 HOUR": None,
    "map(['a'], [n])": None,
    "'it''s {braces}'": None,
    '"Odd Name" + 1': None,
    "true": None,
    "NULL": None,
    "1e-7": None,
    "123456789012345678901": None,
    "coalesce(nullif(mcc, ''), 'none')": None,
    "abs(-n)": None,
    "try_cast(mcc AS BIGINT)": None,
}


@pytest.mark.parametrize("sql", EXPRESSIONS)
def test_expressions(functions: Functions, sql: str) -> None:
    plan = define(f"SELECT {sql} AS f FROM tx", TABLES, functions)
    text = text_of(plan, TABLES)
    assert define(text, TABLES, functions) == plan, text
    wanted = EXPRESSIONS[sql]
    if wanted is not None:
        assert wanted in text


#: Body of a window to what is printed for it.
WINDOWS = {
    "PARTITION BY card ORDER BY ts ROWS_RANGE 7d PRECEDING": "ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW",
    "PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 90m OPEN PRECEDING AND 1h OPEN PRECEDING": (
        "BETWEEN 90m OPEN PRECEDING AND 1h OPEN PRECEDING"
    ),
    "PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 5us PRECEDING AND 0s OPEN PRECEDING": (
        "BETWEEN 5us PRECEDING AND 0s OPEN PRECEDING"
    ),
    "PARTITION BY card ORDER BY n RANGE BETWEEN 5 OPEN PRECEDING AND 1 PRECEDING": "RANGE BETWEEN 4 PRECEDING",
    "PARTITION BY card ORDER BY day ROWS_RANGE 2d PRECEDING": "ROWS_RANGE BETWEEN 2d PRECEDING",
    "ORDER BY ts": "ORDER BY ts ROWS_RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
    "PARTITION BY card, mcc ORDER BY ts ROWS 3 PRECEDING EXCLUDE CURRENT_TIME EXCLUDE CURRENT_ROW MAXSIZE 2": (
        "EXCLUDE CURRENT_ROW EXCLUDE CURRENT_TIME MAXSIZE 2"
    ),
    "UNION logins PARTITION BY card ORDER BY id ROWS 3 PRECEDING": "UNION logins PARTITION BY card",
    "UNION (SELECT id, card, score AS n FROM logins WHERE score > 1) PARTITION BY card ORDER BY id ROWS 3 PRECEDING": (
        "score AS n FROM logins WHERE score > 1"
    ),
    "FROM tx AS t PARTITION BY t.card = lower(tx.mcc) ORDER BY ts": "PARTITION BY tx_2.card = lower(tx.mcc)",
}


@pytest.mark.parametrize("body", WINDOWS)
def test_windows(functions: Functions, body: str) -> None:
    column = "id" if body.startswith("UNION logins") else "n"
    plan = define(f"SELECT sum({column}) OVER w AS f FROM tx WINDOW w AS ({body})", TABLES, functions)
    text = text_of(plan, TABLES)
    assert define(text, TABLES, functions) == plan, text
    assert WINDOWS[body] in text


QUERIES_OF_ALL_KINDS = [
    "SELECT string_agg(mcc, '-' ORDER BY n DESC, amount NULLS FIRST) OVER w AS c, list(n ORDER BY mcc) OVER w AS d "
    "FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)",
    "SELECT now() AS t, count(*) FILTER (WHERE ts < now()) OVER w AS c FROM tx WHERE ts <= now() "
    "WINDOW w AS (PARTITION BY card ORDER BY ts)",
    "SELECT c.limit_ + tx.n AS f FROM tx LAST JOIN cards AS c ON upper(tx.mcc) = c.card AND (c.limit_ > 1 OR n > 2)",
    "SELECT j.twice, j.limit_ FROM tx LAST JOIN (SELECT *, limit_ * 2 AS twice FROM cards WHERE limit_ > 3) AS j "
    "ON tx.card = j.card",
    "SELECT max(score) FILTER (WHERE device = c.card AND at < tx.ts) OVER w AS f "
    "FROM tx LAST JOIN cards AS c ON tx.card = c.card "
    "WINDOW w AS (FROM logins PARTITION BY logins.card = tx.card ORDER BY at)",
    "SELECT l.at = tx.ts AS f FROM tx LAST JOIN logins AS l ON tx.card = l.card AND l.at = now()",
    'SELECT "Odd Name" AS "select", count(*) OVER w AS "order by" FROM tx '
    'WINDOW w AS (PARTITION BY "Odd Name" ORDER BY ts)',
]


@pytest.mark.parametrize("query", QUERIES_OF_ALL_KINDS)
def test_queries_of_all_kinds(functions: Functions, query: str) -> None:
    plan = define(query, TABLES, functions)
    assert made_again(plan, TABLES, functions).hash == plan.hash, text_of(plan, TABLES)


AVAILABILITY = [
    "SELECT count(*) OVER w AS c FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE 1d PRECEDING)",
    "SELECT count(*) OVER w AS c FROM tx WHERE n > 1 WINDOW w AS (PARTITION BY card ORDER BY day)",
    "SELECT max(score) OVER w AS c FROM tx WINDOW w AS (FROM logins WHERE score > 1 PARTITION BY card ORDER BY at)",
    "SELECT l.score FROM tx LAST JOIN logins AS l ORDER BY l.id ON tx.card = l.card",
    "SELECT l.score FROM tx LAST JOIN logins AS l ON tx.card = l.card AND l.score > 2",
    "SELECT sum(id) OVER w AS c FROM tx WINDOW w AS (UNION logins PARTITION BY card ORDER BY id ROWS 5 PRECEDING)",
]  # fmt: skip


@pytest.mark.parametrize("query", AVAILABILITY)
def test_what_the_tables_say_is_not_said_again(functions: Functions, query: str) -> None:
    plan = define(query, BIG, functions)
    text = text_of(plan, BIG)
    assert define(text, BIG, functions).hash == plan.hash, text
    assert "landed" not in text and "INTERVAL" not in text


def test_every_word_of_the_parser_can_be_a_name(functions: Functions) -> None:
    """The words of the parser and of DuckDB, as columns, aliases and windows."""
    words = {word.lower() for word in FeatureDialect.Tokenizer.KEYWORDS if word.isidentifier()} | RESERVED
    words |= {row[0] for row in duckdb.sql("SELECT keyword_name FROM duckdb_keywords()").fetchall()}
    ordered = sorted(words)
    for batch in (ordered[start : start + 60] for start in range(0, len(ordered), 60)):
        tables = {"t": SourceTable("t", {"ts": "TIMESTAMP", **dict.fromkeys(batch, "BIGINT")}, "ts")}
        items = [
            f"{w}, {w} + 1 AS a{n}, -{w} AS b{n}, t.{w} AS c{n}, {w} IS NULL AS d{n}, [{w}] AS e{n}, "
            f"count(*) FILTER (WHERE {w} > 1) OVER {w} AS f{n}"
            for n, w in enumerate(map(name, batch))
        ]
        windows = [f"{w} AS (PARTITION BY {w} ORDER BY ts)" for w in map(name, batch)]
        plan = define(f"SELECT {', '.join(items)} FROM t WINDOW {', '.join(windows)}", tables, functions)
        assert list(plan.features)[::7] == batch


DERIVED = [
    "SELECT s + 1 AS f FROM (SELECT *, sum(n) OVER w AS s FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)) AS t "
    "WHERE s > 3",
    "SELECT sum(c.limit_) OVER w AS f FROM tx LAST JOIN cards AS c ON tx.card = c.card "
    "WINDOW w AS (PARTITION BY tx.card ORDER BY tx.ts)",
    "SELECT count(*) OVER w AS f FROM tx LAST JOIN cards AS c ON tx.card = c.card WHERE c.limit_ > 3 "
    "WINDOW w AS (PARTITION BY tx.card ORDER BY tx.ts)",
    "SELECT sum(n - avg(n)) OVER w AS f FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)",
    "SELECT sum(n - lag(n, 2)) OVER w AS f FROM tx WINDOW w AS (PARTITION BY card ORDER BY ts)",
    "SELECT max(best) OVER w AS f FROM tx WINDOW w AS (FROM (SELECT *, max(score) OVER v AS best FROM logins "
    "WINDOW v AS (PARTITION BY card ORDER BY at)) AS l PARTITION BY card ORDER BY at)",
    "SELECT g.c FROM tx LAST JOIN (SELECT card, count(*) AS c FROM logins GROUP BY card) AS g ON tx.card = g.card",
    "SELECT discrete(mcc, 100) AS m, continuous(n) AS n FROM tx",
]


@pytest.mark.parametrize("query", DERIVED)
def test_queries_on_queries(functions: Functions, query: str) -> None:
    plan = define(query, TABLES, functions)
    text = text_of(plan, TABLES)
    assert define(text, TABLES, functions).hash == plan.hash, text


def test_labels_look_ahead(functions: Functions) -> None:
    query = """SELECT max(n) OVER w AS f, lead(n, 2) OVER w AS g FROM tx
               WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 0s OPEN FOLLOWING AND 7d FOLLOWING)"""
    plan = define(query, TABLES, functions, ahead=True)
    text = text_of(plan, TABLES)
    assert define(text, TABLES, functions, ahead=True).hash == plan.hash, text
    assert "BETWEEN 0s OPEN FOLLOWING AND 7d FOLLOWING" in text


def test_the_text_of_a_view(tmp_path: Path) -> None:
    project: Any = shop.open_shop(tmp_path / "shop")
    view = project.define("v", shop.VIEW)
    assert project.define("w", view.to_sql("workbench")).plan.hash == view.plan.hash
    assert "to_sql('workbench')" in view.explain()
    with pytest.raises(DefinitionError, match="'spark'"):
        view.to_sql("spark")


def test_windows_without_order_are_of_another_dialect(plans: dict[str, FeaturePlan]) -> None:
    import msgspec

    plan = plans["counts"]
    window = msgspec.structs.replace(plan.windows[0], order=None, order_anchor=None)
    with pytest.raises(DefinitionError, match="w0 has no ORDER BY"):
        text_of(msgspec.structs.replace(plan, windows=(window, *plan.windows[1:])), TABLES)
