"""Operators, casts and functions: the value and the type of each, by request and in bulk."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import pytest

from tests.sql.openmldb.conftest import Ask

CASES: dict[str, list[tuple[str, Any, str]]] = {
    "integers wrap in the wider type of the two": [
        ("i + 1", -2147483648, "INTEGER"),
        ("sm + sm", -5536, "SMALLINT"),
        ("sm * i", -30000, "INTEGER"),
        ("i * b", -15032385529, "BIGINT"),
        ("9223372036854775807L + 1", -9223372036854775808, "BIGINT"),
        ("- sm", -30000, "SMALLINT"),
        ("x + x", False, "BOOLEAN"),
        ("x + sm", 30001, "SMALLINT"),
        ("sm + n", None, "INTEGER"),
    ],
    "floats": [
        ("f * 2", 3.0, "FLOAT"),
        ("f + d", -1.25, "DOUBLE"),
        ("b + 1.5f", -5.5, "FLOAT"),
        ("1.5", 1.5, "DOUBLE"),
        ("i / 2", 1073741823.5, "DOUBLE"),
    ],
    "division": [
        ("b / 0", None, "DOUBLE"),
        ("b DIV 2", -3, "BIGINT"),
        ("b DIV 0", None, "BIGINT"),
        ("b % 4", -3, "BIGINT"),
        ("b MOD 0", None, "BIGINT"),
        ("d % 0", None, "DOUBLE"),
        ("f % 1", 0.5, "FLOAT"),
    ],
    "times are milliseconds": [
        ("ts - 5", datetime(2020, 5, 29, 17, 56, 29), "TIMESTAMP"),
        ("bigint(ts)", 1590774989005, "BIGINT"),
        ("timestamp(5)", datetime(1970, 1, 1, 0, 0, 0, 5000), "TIMESTAMP"),
        ("timestamp(-5)", None, "TIMESTAMP"),
        ("timestamp('2020-05-22 10:43:40')", datetime(2020, 5, 22, 2, 43, 40), "TIMESTAMP"),
        ("timestamp(dt)", datetime(2020, 4, 30, 16), "TIMESTAMP"),
        ("smallint(ts)", 205, "SMALLINT"),
    ],
    "dates are in UTC+8": [
        ("date(ts)", date(2020, 5, 30), "DATE"),
        ("string(ts)", "2020-05-30 01:56:29", "VARCHAR"),
        ("hour(ts)", 1, "INTEGER"),
        ("day(dt)", 1, "INTEGER"),
        ("dayofweek(ts)", 7, "INTEGER"),
        ("weekofyear(dt)", 18, "INTEGER"),
        ("date_format(ts, '%Y%m%d %H')", "20200530 01", "VARCHAR"),
        ("datediff('2020-05-03', dt)", 2, "INTEGER"),
        ("add_months(dt, -3)", date(2020, 2, 1), "DATE"),
        ("last_day(dt)", date(2020, 5, 31), "DATE"),
        ("unix_timestamp('2020-05-22 10:43:40')", 1590115420, "BIGINT"),
        ("unix_timestamp('')", 1590774989, "BIGINT"),
        ("unix_timestamp()", 1590774989, "BIGINT"),
    ],
    "casts": [
        ("int('x')", None, "INTEGER"),
        ("int('-12')", -12, "INTEGER"),
        ("int(' 1.5')", None, "INTEGER"),
        ("int(d)", -2, "INTEGER"),
        ("smallint(i)", -1, "SMALLINT"),
        ("CAST(b AS string)", "-7", "VARCHAR"),
        ("CAST(i AS int64)", 2147483647, "BIGINT"),
        ("CAST(f AS VARCHAR(10))", "1.5", "VARCHAR"),
        ("bool('yes')", True, "BOOLEAN"),
        ("bool('2')", None, "BOOLEAN"),
        ("bool(b)", True, "BOOLEAN"),
        ("double('1e3')", 1000.0, "DOUBLE"),
        ("int(dt)", None, "INTEGER"),
        ("CAST(NULL AS date)", None, "DATE"),
        ("date('2020-13-01')", None, "DATE"),
    ],
    "logic of any values": [
        ("s AND b", True, "BOOLEAN"),
        ("'' OR n", None, "BOOLEAN"),
        ("x XOR dt", False, "BOOLEAN"),
        ("!s", False, "BOOLEAN"),
        ("NOT b", False, "BOOLEAN"),
        ("b && i", True, "BOOLEAN"),
    ],
    "comparisons": [
        ("b = '-7'", True, "BOOLEAN"),
        ("b == -7.0", True, "BOOLEAN"),
        ("ts > '2020-05-30'", True, "BOOLEAN"),
        ("x = 1", True, "BOOLEAN"),
        ("dt <= ts", True, "BOOLEAN"),
        ("n = NULL", None, "BOOLEAN"),
        ("'B' BETWEEN 'A' AND 'C'", True, "BOOLEAN"),
        ("b NOT BETWEEN 0 AND 5", True, "BOOLEAN"),
        ("b IN ('-7', 'x')", True, "BOOLEAN"),
        ("b NOT IN (1, NULL)", None, "BOOLEAN"),
    ],
    "bits": [
        ("6 ^ 3", 5, "INTEGER"),
        ("b & 3", 1, "BIGINT"),
        ("~ b", 6, "BIGINT"),
        ("sm | NULL", None, "SMALLINT"),
    ],
    "patterns": [
        ("s LIKE 'H_llo'", True, "BOOLEAN"),
        ("s ILIKE 'h%'", True, "BOOLEAN"),
        ("'a_b' LIKE 'a\\\\_b'", True, "BOOLEAN"),
        ("'axb' LIKE 'a#_b' ESCAPE '#'", False, "BOOLEAN"),
        ("'a' LIKE 'a#' ESCAPE '#'", False, "BOOLEAN"),
        ("s NOT LIKE 'x%'", True, "BOOLEAN"),
        ("s RLIKE 'H.*o'", True, "BOOLEAN"),
        ("s RLIKE 'ell'", False, "BOOLEAN"),
        ("like_match(s, 'H%', string(NULL))", None, "BOOLEAN"),
        ('regexp_like(s, "hello")', False, "BOOLEAN"),
    ],
    "NULL": [
        ("ifnull(n, 2.5)", 2.5, "DOUBLE"),
        ("nvl2(n, 1, 'no')", "no", "VARCHAR"),
        ("isnull(n)", True, "BOOLEAN"),
        ("CASE WHEN n THEN 1 ELSE f END", 1.5, "FLOAT"),
        ("CASE b WHEN -7 THEN 'seven' END", "seven", "VARCHAR"),
        ("maximum(b, n)", None, "BIGINT"),
        ("~ NULL", None, "BOOLEAN"),
    ],
    "texts": [
        ("concat(s, '-', b, NULL)", None, "VARCHAR"),
        ("concat_ws('|', s, x, dt)", "Hello|true|2020-05-01", "VARCHAR"),
        ('substr("abcdef", -3, 2)', "de", "VARCHAR"),
        ("substr(s, 9)", "", "VARCHAR"),
        ("char_length('é')", 2, "INTEGER"),
        ("strcmp('a', 'b')", -1, "INTEGER"),
        ("locate('l', s, 4)", 4, "INTEGER"),
        ("locate('z', s)", 0, "INTEGER"),
        ("hex(17.5)", "12", "VARCHAR"),
        ("unhex('4D79')", "My", "VARCHAR"),
        ("unhex('xx')", None, "VARCHAR"),
        ("char(65)", "A", "VARCHAR"),
        ("replace(s, 'l')", "Heo", "VARCHAR"),
        ("size(split(s, 'l'))", 3, "INTEGER"),
        ("at(split(s, 'l'), 2)", "o", "VARCHAR"),
        ("map('a', 1, 'b', 2)['b']", 2, "INTEGER"),
        ("""get_json_object('{"a": {"b": 2}}', '/a/b')""", "2", "VARCHAR"),
        ("get_json_object('{', '/a')", None, "VARCHAR"),
        ("json_array_length('[1, 2]')", 2, "INTEGER"),
        ("json_array_length('no')", None, "INTEGER"),
    ],
    "numbers": [
        ("abs(sm)", 30000, "INTEGER"),
        ("abs(f)", 1.5, "DOUBLE"),
        ("floor(d)", -3.0, "DOUBLE"),
        ("ceil(i)", 2147483647, "BIGINT"),
        ("round(f)", 2.0, "FLOAT"),
        ("truncate(d)", -2.0, "DOUBLE"),
        ("log(0)", -math.inf, "DOUBLE"),
        ("log(2, 8)", 3.0, "DOUBLE"),
        ("pmod(b, 3)", 2, "BIGINT"),
        ("pmod(i, -2147483648)", -1, "BIGINT"),
        ("float(1e300)", math.inf, "FLOAT"),
        ("hour(9223372036854775807L)", None, "INTEGER"),
        ("inc(sm)", 30001, "SMALLINT"),
        ("minimum(b, 1.5)", -7.0, "DOUBLE"),
    ],
}


@pytest.mark.parametrize("topic", CASES)
def test_values(values: Ask, topic: str) -> None:
    cases = CASES[topic]
    found = values(*(expression for expression, _, _ in cases))
    assert [(case[0], *answer) for case, answer in zip(cases, found, strict=True)] == cases


def test_what_c_gives_as_nan_is_nan(values: Ask) -> None:
    found = values("sqrt(-1)", "ln(-1)", "acos(2)")
    assert all(math.isnan(value) for value, _ in found)


def test_aggregates(values: Ask) -> None:
    window = "WINDOW w AS (PARTITION BY k ORDER BY ts ROWS_RANGE BETWEEN 2005 PRECEDING AND CURRENT ROW)"
    expected: dict[str, tuple[Any, str]] = {
        "sum(i)": (-2147483646, "INTEGER"),
        "sum(f)": (4.5, "FLOAT"),
        "sum(ts)": (datetime(2121, 3, 25, 5, 49, 24, 5000), "TIMESTAMP"),
        "median(f)": (1.5, "DOUBLE"),
        "distinct_count(x)": (2, "BIGINT"),
        "distinct_count(n)": (2, "BIGINT"),
        "count_where(*, i > 1)": (2, "BIGINT"),
        "sum_where(i, x)": (-2147483648, "INTEGER"),
        "first_value(n, true)": (5, "INTEGER"),
        "at(i, 2)": (1, "INTEGER"),
        "lag(i, 3)": (None, "INTEGER"),
        "string(max(ts))": ("2020-05-30 01:56:29", "VARCHAR"),
        "count_cate(i, ts)": (
            "2020-05-30 01:56:27:1,2020-05-30 01:56:28:1,2020-05-30 01:56:29:1",
            "VARCHAR",
        ),
        "topn_frequency(window_split(s, ','), 3)": ("Hello,a,b", "VARCHAR"),
        "distinct_count(window_split(s, ','))": (3, "BIGINT"),
        "CASE WHEN !isnull(at(n, 1)) THEN count(i) END": (3, "BIGINT"),
        "sum(i + count(i))": (2147483659, "BIGINT"),
    }
    found = values(*(f"{expression} OVER w" for expression in expected), over=window)
    assert dict(zip(expected, found, strict=True)) == expected
