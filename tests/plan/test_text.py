"""A plan as text is a query from which the same plan is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import shop
from tests.plan.conftest import NAMES, TABLES
from tests.semantics.compare import load
from tests.semantics.data import draw_data
from tests.semantics.generate import draw_query
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


def again(plan: FeaturePlan, tables: dict[str, SourceTable], functions: Functions) -> FeaturePlan:
    return define(text_of(plan, tables), tables, functions)


@pytest.mark.parametrize("query", NAMES)
def test_the_catalogue(plans: dict[str, FeaturePlan], functions: Functions, query: str) -> None:
    assert again(plans[query], TABLES, functions).hash == plans[query].hash


@pytest.mark.parametrize("seed", range(SEEDS))
def test_random_queries(functions: Functions, seed: int) -> None:
    data = draw_data(seed)
    tables = {n: SourceTable(n, dict(table.columns), table.time) for n, table in data.tables.items()}
    for number in range(QUERIES):
        query = render(draw_query(data, seed * QUERIES + number))
        plan = define(query, tables, functions)
        assert again(plan, tables, functions).hash == plan.hash, f"{query}\n--\n{text_of(plan, tables)}"


@pytest.mark.parametrize("seed", [3, 11, 27])
def test_random_queries_give_the_same_values(tmp_path: Path, seed: int) -> None:
    data = draw_data(seed)
    with open_project(tmp_path / "p") as project:
        load(project, data)
        view = project.define("v", render(draw_query(data, seed)))
        printed = project.define("printed", view.to_sql("workbench"))
        # As text: nan is not equal to itself.
        rows = [sorted(map(str, v.offline().to_pyarrow().to_pylist())) for v in (view, printed)]
        assert rows[0] == rows[1]


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
    "~n + 1": "(~n) + 1",
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
    assert again(plan, TABLES, functions).hash == plan.hash, text_of(plan, TABLES)


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
    for word in sorted(words):
        tables = {"t": SourceTable("t", {"ts": "TIMESTAMP", word: "BIGINT", "a": "BIGINT"}, "ts")}
        named = name(word)
        define(
            f"SELECT {named}, {named} + 1 AS b, -{named} AS c, t.{named} AS d, {named} IS NULL AS e, [{named}] AS f, "
            f"count(*) FILTER (WHERE {named} > 1) OVER {named} AS g FROM t WHERE {named} > 1 "
            f"WINDOW {named} AS (PARTITION BY {named} ORDER BY ts)",
            tables,
            functions,
        )


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
