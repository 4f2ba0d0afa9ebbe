"""Expressions are DuckDB's: offline, asked and plain DuckDB give the same values and types."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import workbench

from .compare import same

COLUMNS = {
    "ts": "TIMESTAMP",
    "id": "BIGINT",
    "n": "BIGINT",
    "i": "INTEGER",
    "f": "DOUBLE",
    "p": "DECIMAL(9,2)",
    "s": "VARCHAR",
    "b": "BOOLEAN",
    "d": "DATE",
    "tags": "VARCHAR[]",
}
VALUES: list[tuple[Any, ...]] = [
    (
        datetime(2024, 2, 29, 23, 59, 59, 999999),
        1,
        7,
        -3,
        2.5,
        Decimal("1.25"),
        "Straße 5",
        True,
        date(2024, 2, 29),
        ["a"],
    ),
    (datetime(1969, 12, 31, 1), 2, -9, 2, -0.1, Decimal("-3.00"), "", False, date(1900, 1, 1), []),
    (datetime(2024, 3, 1), 3, None, None, None, None, None, None, None, None),
    (
        datetime(2024, 3, 1),
        4,
        0,
        0,
        float("nan"),
        Decimal("0.00"),
        "10",
        None,
        date(2024, 3, 3),
        ["b", None, "a"],
    ),
    (
        datetime(2024, 3, 1),
        5,
        2**53 + 1,
        2**31 - 1,
        float("inf"),
        Decimal("9999999.99"),
        "aé🙂",
        True,
        None,
        ["x"],
    ),
]
ROWS = [dict(zip(COLUMNS, values, strict=True)) for values in VALUES]

EXPRESSIONS = """
n + 1
n + i
n + 0.5
n * 1.5
n / 2
n // 2
n % 3
i / 0
f / 0
n // 0
n % 0
-n
i * 2.0
p * 2
p + n
p / 3
f + p
n & 3
n | 8
xor(n, 3)
2 ** 3
n = 7
n <> 7
n != 7
n IS DISTINCT FROM 7
n IS NOT DISTINCT FROM NULL
f = f
f > 1e300
f IS NULL
isnan(f)
NOT b
b AND n > 0
b OR n > 0
n BETWEEN 0 AND 7
n NOT BETWEEN 0 AND 7
n IN (7, 0)
n IN (7, NULL)
n NOT IN (7, NULL)
s IN ('10', '')
s LIKE '%e%'
s NOT LIKE 'S%'
s ILIKE 'STR%'
s LIKE 'a_🙂'
s SIMILAR TO '[0-9]+'
s || '!'
s || NULL
concat(s, '!', n)
concat_ws('-', s, s)
length(s)
strlen(s)
upper(s)
lower(s)
trim('  x ')
substr(s, 2, 3)
s[1]
s[2:3]
left(s, 2)
replace(s, 'S', 'Z')
regexp_matches(s, '^[0-9]+$')
regexp_extract(s, '([0-9]+)', 1)
starts_with(s, 'St')
lpad(s, 5, '.')
split_part(s, ' ', 2)
strip_accents(s)
md5(s)
ascii(s)
CASE WHEN n > 0 THEN 'pos' WHEN n < 0 THEN 'neg' END
CASE n WHEN 7 THEN 1 WHEN 0 THEN 2.5 ELSE 3 END
CASE WHEN b THEN n ELSE f END
if(b, n, i)
coalesce(n, i, 0)
coalesce(s, 'none')
ifnull(n, 5)
nullif(n, 7)
greatest(n, i)
least(n, i, 1)
CAST(f AS FLOAT)
CAST(n AS VARCHAR)
CAST(b AS INTEGER)
CAST(p AS DOUBLE)
CAST(f AS VARCHAR)
TRY_CAST(s AS BIGINT)
TRY_CAST(f AS BIGINT)
TRY_CAST(n AS TINYINT)
s::VARCHAR
n::DOUBLE
n::HUGEINT
p::DECIMAL(12,1)
ts::DATE
d::TIMESTAMP
CAST('2024-01-01' AS DATE)
DATE '2024-01-01'
TIMESTAMP '2024-01-01 10:00:00'
abs(n)
sign(n)
round(f, 1)
round(p, 1)
floor(f)
ceil(f)
trunc(f)
ln(n + 10)
log10(n + 10)
exp(i % 5)
power(i % 5, 2)
sqrt(abs(i))
pi()
hash(n) % 10
year(ts)
month(d)
EXTRACT(hour FROM ts)
EXTRACT(epoch FROM ts)
date_part('dow', ts)
dayofweek(ts)
isodow(ts)
weekofyear(ts)
dayname(ts)
quarter(d)
last_day(d)
epoch(ts)
epoch_ms(ts)
date_trunc('month', ts)
date_trunc('week', d)
date_diff('day', d, ts::DATE)
date_diff('month', d, ts)
datediff('hour', ts, TIMESTAMP '2024-03-01 10:00:00')
date_sub('hour', TIMESTAMP '2024-01-01 00:30:00', ts)
ts + INTERVAL 1 DAY
ts - INTERVAL '90 minutes'
ts + INTERVAL 1 MONTH
d + 1
d - DATE '2024-01-01'
ts - TIMESTAMP '2024-01-01'
d < ts
strftime(ts, '%Y-%m-%d %H')
time_bucket(INTERVAL 1 HOUR, ts)
make_date(2024, i % 5 + 7, 1)
to_days(3)
len(tags)
list_contains(tags, 'a')
tags[1]
list_sort(tags)
array_to_string(tags, ',')
[n, n + 1]
list_transform(tags, lambda t: upper(t))
{'a': n, 'b': s}
struct_pack(x := n).x
MAP {'k': n}
map(['a', 'b'], [n, i])
TRUE
NULL
1
1.5
'it''s'
12345678901234567890
-5
1e3
""".strip().splitlines()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    opened = workbench.open(tmp_path_factory.mktemp("expressions") / "project")
    opened.create_table("t", COLUMNS, time="ts")
    opened.table("t").append(ROWS)
    return opened


@pytest.fixture(scope="module")
def plain() -> Any:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        "CREATE TABLE t (" + ", ".join(f"{name} {type_}" for name, type_ in COLUMNS.items()) + ")"
    )
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(COLUMNS))})", VALUES)
    return connection


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_are_those_of_duckdb(project: Any, plain: Any, expression: str) -> None:
    sql = f"SELECT id, {expression} AS out FROM t"
    expected = plain.sql(sql + " ORDER BY id").to_arrow_table()
    view = project.define("e", sql)
    got = view.offline().to_pyarrow().sort_by("id")
    assert got.schema.field("out").type == _stored_type(expected.schema.field("out").type)
    values = {row["id"]: row["out"] for row in expected.to_pylist()}
    for row in got.to_pylist():
        assert same(values[row["id"]], row["out"]), (row["id"], values[row["id"]], row["out"])
    for row in ROWS:
        wanted, asked = _python(values[row["id"]]), view.request(row)["out"]
        assert same(wanted, asked), (row["id"], wanted, asked)


def _python(value: Any) -> Any:
    """The plain value of what Arrow has no plain type for: HUGEINT, INTERVAL and MAP."""
    if isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        return int(value)
    if isinstance(value, pa.MonthDayNano):
        return timedelta(days=value.days, microseconds=value.nanoseconds // 1000)
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)
    return value


def _stored_type(type_: pa.DataType) -> pa.DataType:
    """An untyped NULL has to be some type; DuckDB's own choice is INTEGER."""
    return pa.int32() if pa.types.is_null(type_) else type_
