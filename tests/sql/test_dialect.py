"""Every clause of the dialect is read as written, and what it means stands in the plan."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
from sqlglot import exp

from tests import shop
from workbench.errors import DefinitionError
from workbench.plan.model import FeaturePlan, Frame
from workbench.sql.dialect import UNITS, parse
from workbench.sql.functions import Functions

PlanOf = Callable[[str], FeaturePlan]
HOUR, DAY = 3_600_000_000, 86_400_000_000


def over(frame: str, order: str = "ts") -> str:
    return f"SELECT count(*) OVER (PARTITION BY card ORDER BY {order} {frame}) AS f FROM tx"


FRAMES = [
    ("", Frame("range", None, 0)),
    ("ROWS BETWEEN 3 PRECEDING AND CURRENT ROW", Frame("rows", 3, 0)),
    ("rows between 3 preceding and current_row", Frame("rows", 3, 0)),
    ("ROWS 3 PRECEDING", Frame("rows", 3, 0)),
    ("ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING", Frame("rows", None, 1)),
    ("ROWS BETWEEN 5 OPEN PRECEDING AND 1 OPEN PRECEDING", Frame("rows", 4, 2)),
    ("ROWS UNBOUNDED PRECEDING", Frame("rows", None, 0)),
    ("RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", Frame("range", None, 0)),
    ("ROWS_RANGE BETWEEN 3d PRECEDING AND CURRENT ROW", Frame("range", 3 * DAY, 0)),
    ("RANGE BETWEEN 3d PRECEDING AND 1h PRECEDING", Frame("range", 3 * DAY, HOUR)),
    ("RANGE BETWEEN 3d OPEN PRECEDING AND 1h OPEN PRECEDING", Frame("range", 3 * DAY - 1, HOUR + 1)),
    ("RANGE BETWEEN 3D PRECEDING AND 0s OPEN PRECEDING", Frame("range", 3 * DAY, 1)),
    ("RANGE BETWEEN INTERVAL 3 DAY PRECEDING AND CURRENT ROW", Frame("range", 3 * DAY, 0)),
    ("RANGE BETWEEN INTERVAL '36 hours' PRECEDING AND CURRENT ROW", Frame("range", 36 * HOUR, 0)),
    ("RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND CURRENT ROW", Frame("range", DAY, 0)),
]


@pytest.mark.parametrize(("text", "frame"), FRAMES)
def test_frames(plan_of: PlanOf, text: str, frame: Frame) -> None:
    (window,) = plan_of(over(text)).windows
    assert window.frame == frame


@pytest.mark.parametrize(("unit", "size"), UNITS.items())
def test_units(plan_of: PlanOf, unit: str, size: int) -> None:
    (window,) = plan_of(over(f"ROWS_RANGE BETWEEN 7{unit} PRECEDING AND CURRENT ROW")).windows
    assert window.frame.start == 7 * size


@pytest.mark.parametrize(("order", "start"), [("n", 5), ('"Odd Name"', 5)])
def test_an_integer_column_is_measured_in_its_own_numbers(plan_of: PlanOf, order: str, start: int) -> None:
    (window,) = plan_of(over("RANGE BETWEEN 5 PRECEDING AND CURRENT ROW", order)).windows
    assert (window.frame.start, window.order) == (start, order.strip('"'))


ATTRIBUTES = ("EXCLUDE CURRENT_ROW", "EXCLUDE CURRENT_TIME", "INSTANCE_NOT_IN_WINDOW", "MAXSIZE 4")


@pytest.mark.parametrize(
    "attributes", [*permutations(ATTRIBUTES), ("EXCLUDE CURRENT ROW", "maxsize 4", *ATTRIBUTES[1:3])]
)
def test_attributes_stand_in_any_order(plan_of: PlanOf, attributes: tuple[str, ...]) -> None:
    history = "UNION (SELECT at AS ts, card FROM logins) l PARTITION BY card ORDER BY ts ROWS 9 PRECEDING"
    plan = plan_of(f"SELECT count(*) OVER ({history} {' '.join(attributes)}) AS f FROM tx")
    (window,) = plan.windows
    assert (window.maxsize, window.exclude_current_row, window.frame) == (4, True, Frame("rows", 9, 0))
    assert window.exclude_current_time and window.instance_not_in_window and len(window.union) == 1


def test_a_window_has_a_name_or_stands_in_its_place(plan_of: PlanOf) -> None:
    frame = "PARTITION BY card ORDER BY ts ROWS 3 PRECEDING"
    named = plan_of(f"SELECT sum(n) OVER w AS f FROM tx WINDOW w AS ({frame})")
    inline = plan_of(f"SELECT sum(n) OVER ({frame}) AS f FROM tx")
    assert named == inline


def test_equal_windows_are_computed_once(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT sum(n) OVER a AS x, avg(n) OVER b AS y, sum(n) OVER b AS z FROM tx "
        "WINDOW a AS (PARTITION BY card ORDER BY ts), b AS (PARTITION BY card ORDER BY ts)"
    )
    assert len(plan.windows) == 1 and len(plan.aggregates) == 2


def test_a_window_from_another_table(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT sum(score) FILTER (WHERE device = r.mcc) OVER w AS f FROM tx AS r "
        "WINDOW w AS (FROM logins WHERE score > 2 PARTITION BY card ORDER BY at ROWS_RANGE 1d PRECEDING MAXSIZE 9)"
    )
    (window,) = plan.windows
    assert (window.source.table, window.history, window.source.own) == ("logins", False, False)
    assert window.source.where is not None and window.maxsize == 9
    assert plan.tables() == ["tx", "logins"]
    assert set(plan.request_columns) == {"ts", "card", "mcc"}


@pytest.mark.parametrize(
    "key", ["logins.id = tx.n", "tx.n = logins.id", "logins.id = tx.n + 1", "logins.id = n % 7"]
)
def test_the_key_of_a_window_equals_any_expression_of_the_anchor(plan_of: PlanOf, key: str) -> None:
    plan = plan_of(
        f"SELECT count(*) OVER w AS f FROM tx WINDOW w AS (FROM logins PARTITION BY {key} ORDER BY at)"
    )
    (key_of,) = plan.windows[0].keys
    assert key_of.row == "id" and set(plan.request_columns) == {"ts", "n"}


@pytest.mark.parametrize(
    ("join", "order", "conditions"),
    [
        ("LAST JOIN logins ON tx.card = logins.card", "at", 0),
        ("last join logins l on l.card = tx.card", "at", 0),
        ("LAST JOIN logins AS l ON (tx.card = l.card)", "at", 0),
        ("LAST JOIN logins ORDER BY logins.score ON tx.card = logins.card", "score", 0),
        (
            "LAST JOIN logins ORDER BY score ON tx.card = logins.card AND score > 3 AND device = mcc",
            "score",
            1,
        ),
        ("LAST JOIN cards ON tx.card = cards.card", None, 0),
        (
            "LAST JOIN (SELECT card, device AS d, at FROM logins WHERE score > 1) s ON tx.card = s.card",
            "at",
            1,
        ),
    ],
)
def test_last_join(plan_of: PlanOf, join: str, order: str | None, conditions: int) -> None:
    plan = plan_of(f"SELECT * FROM tx {join}".replace("*", "1 AS one, " + _joined(join)))
    (lookup,) = plan.lookups
    assert lookup.order == order
    assert (lookup.source.where is not None) == bool(conditions)


def _joined(join: str) -> str:
    return "limit_" if "cards" in join else "d" if " d," in join else "device"


def test_a_join_on_two_columns_has_two_keys(plan_of: PlanOf) -> None:
    plan = plan_of("SELECT device FROM tx LAST JOIN logins l ON tx.card = l.card AND l.id = tx.n")
    assert [key.row for key in plan.lookups[0].keys] == ["card", "id"]


def test_a_chain_of_joins_reads_the_earlier_ones(plan_of: PlanOf) -> None:
    plan = plan_of(
        "SELECT c.limit_ FROM tx LAST JOIN logins l ON tx.card = l.card LAST JOIN cards c ON l.device = c.card"
    )
    first, second = plan.lookups
    assert second.keys[0].anchor.source == first.name  # type: ignore[union-attr]


EXPRESSIONS = [
    "n + 1", "n // 2", "n % 2", "n + 5 % 3", "n % 5 * 2",
    "tags[CASE WHEN n > 1 THEN 1 ELSE 2 END]", "-n", "n ** 2", "n & 3", "n | 1", "n << 1", "~n",
    "amount > 1 AND n < 3 OR NOT (n = 2)", "n <> 2", "n != 2", "amount IS NULL", "amount IS NOT NULL",
    "n BETWEEN 1 AND 5", "n NOT BETWEEN 1 AND 5", "mcc IN ('food', 'fuel')", "mcc NOT IN ('food')",
    "mcc LIKE 'f%'", "mcc NOT LIKE 'f%'", "mcc ILIKE 'F%'", "mcc LIKE 'f!%' ESCAPE '!'",
    "mcc SIMILAR TO 'f.*'", "mcc IS DISTINCT FROM 'food'", "mcc IS NOT DISTINCT FROM card",
    "mcc || '-' || card", "mcc ~ 'f.*'", "CASE WHEN n > 1 THEN 'a' ELSE 'b' END",
    "CASE mcc WHEN 'food' THEN 1 WHEN 'fuel' THEN 2 END", "CAST(n AS VARCHAR)", "n::VARCHAR",
    "TRY_CAST(mcc AS INTEGER)", "ts::DATE", "ts::TIME", "EXTRACT(hour FROM ts)", "date_part('dow', ts)",
    "date_trunc('day', ts)", "ts - INTERVAL 1 DAY", "now()", "ts + INTERVAL '90 minutes'",
    "INTERVAL (n) HOURS", "current_date", "date_diff('hour', ts, now())", "coalesce(amount, 0)",
    "ifnull(amount, 0)", "nullif(n, 0)", "greatest(n, 3)", "if(n > 1, 'x', 'y')", "round(amount, 1)",
    "abs(n)", "upper(mcc)", "length(mcc)", "mcc[1]", "mcc[1:2]", "split_part(mcc, 'o', 1)", "tags[1]",
    "tags[1:2]", "tags[-1]", "len(tags)", "list_contains(tags, 'x')", "[n, 2]",
    "list_transform([n, 2], x -> x + 1)", "list_filter(tags, lambda t: t <> mcc)",
    "list_transform([n], (x, i) -> x + i)", "place.city", "place['zip']", "struct_extract(place, 'city')",
    "{'a': n, 'b': mcc}", "struct_pack(a := n)", "MAP {'a': n}", "TRUE", "NULL", "1.5", "1e3", "'it''s'",
    "DATE '2024-01-31'", "TIMESTAMP '2024-01-31 10:00:00'", "'x'::BLOB", "regexp_matches(mcc, '^f')",
    "strftime(ts, '%Y-%m')", "hash(card)", "price * 2", "epoch_ms(ts)",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_have_the_type_that_duckdb_gives_them(
    plan_of: PlanOf, functions: Functions, expression: str
) -> None:
    columns = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in shop.TX.items())
    wanted = expression.replace("now()", "ts").replace("current_date", "ts::DATE")
    (expected,) = functions.describe(f"SELECT {wanted} AS f FROM (SELECT {columns})").values()
    assert plan_of(f"SELECT {expression} AS f FROM tx").features == {"f": expected}


AGGREGATES = [
    "count(*)", "count(n)", "count(DISTINCT mcc)", "sum(amount)", "sum(n)", "sum(price)", "avg(n)",
    "min(mcc)", "max(ts)", "stddev_samp(n)", "median(amount)", "quantile_cont(amount, 0.9)", "mode(mcc)",
    "first(mcc)", "last_value(mcc)", "list(n)", "array_agg(place)", "string_agg(mcc, '-')",
    "arg_max(mcc, amount)", "bool_or(n > 1)", "any_value(tags)", "histogram(mcc)",
    "approx_count_distinct(n)", "lag(n, 2)", "count(*) FILTER (WHERE n > 1)", "max(n + 1)",
]  # fmt: skip


@pytest.mark.parametrize("call", AGGREGATES)
def test_aggregates_have_the_type_that_duckdb_gives_them(
    plan_of: PlanOf, functions: Functions, call: str
) -> None:
    columns = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in shop.TX.items())
    (expected,) = functions.describe(f"SELECT {call} OVER () AS f FROM (SELECT {columns})").values()
    if call == "sum(n)":
        expected = "BIGINT"  # what does not fit is an error of its row
    plan = plan_of(f"SELECT {call} OVER (PARTITION BY card ORDER BY ts) AS f FROM tx")
    assert plan.features == {"f": expected}


def test_comments_layout_and_case_of_keywords_mean_nothing(plan_of: PlanOf) -> None:
    plain = plan_of(over("ROWS BETWEEN 3 PRECEDING AND CURRENT ROW"))
    odd = plan_of(
        "-- features\nselect COUNT(*) /* rows */\n  over (partition by CARD order by Ts\n"
        "        rows between 3 preceding and current row) as f -- end\nfrom TX ;"
    )
    assert plain == odd


def test_positions_count_lines_and_columns_from_one() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse("SELECT n,\n       ) FROM tx")
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == (2, 8)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("a < b IS DISTINCT FROM c", "(a < b) IS DISTINCT FROM c"),
        ("a IS NOT DISTINCT FROM b = c", "a IS NOT DISTINCT FROM (b = c)"),
        ("NOT a IS NULL", "NOT (a IS NULL)"),
        ("a + b IS NOT NULL AND c", "((a + b) IS NOT NULL) AND c"),
        ("a = b ISNULL", "(a = b) IS NULL"),
        ("a NOTNULL", "a IS NOT NULL"),
        ("~a + b * c", "~(a + (b * c))"),
        ("a | ~b - c", "a | (~(b - c))"),
        ("a + b % c", "a + (b % c)"),
    ],
)
def test_operators_bind_as_in_duckdb(written: str, meant: str) -> None:
    def shape(text: str) -> str:
        query = parse(f"SELECT {text} FROM t")
        for paren in list(query.find_all(exp.Paren)):
            paren.replace(paren.this)
        return repr(query)

    assert shape(written) == shape(meant)
