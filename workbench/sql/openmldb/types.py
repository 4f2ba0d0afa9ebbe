"""OpenMLDB's types in DuckDB's words, and how one becomes another."""

from __future__ import annotations

from typing import Final

#: OpenMLDB's names of types, in DuckDB's words.
TYPES: Final = {
    "bool": "BOOLEAN",
    "smallint": "SMALLINT",
    "int16": "SMALLINT",
    "int": "INTEGER",
    "int32": "INTEGER",
    "bigint": "BIGINT",
    "int64": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "varchar": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
#: Integer types from narrow to wide, with their bits.
INTEGERS: Final = {"SMALLINT": 16, "INTEGER": 32, "BIGINT": 64}
FLOATS: Final = {"FLOAT": 32, "DOUBLE": 64}
#: The zone of every date function: UTC+8.
ZONE: Final = "INTERVAL 8 HOUR"

_TRUE = "('t', 'true', 'y', 'yes', '1')"
_FALSE = "('f', 'false', 'n', 'no', '0')"
#: A text as a time: date and time, or a date alone, with or without hyphens.
_TIME_FORMATS = "['%Y-%m-%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S', '%Y-%m-%d', '%Y%m%d']"
#: The end of the year 9999 in milliseconds.
_LAST_TIME = 253402300799999
_DATE_FORMATS = "['%Y-%m-%d', '%Y%m%d']"


def is_number(kind: str) -> bool:
    """Whether values of a type are numbers, BOOLEAN among them."""
    return kind in INTEGERS or kind in FLOATS or kind in ("BOOLEAN", "HUGEINT") or kind.startswith("DECIMAL")


def wider(left: str, right: str) -> str:
    """Return the type of a sum of two numbers.

    >>> wider("SMALLINT", "INTEGER"), wider("BIGINT", "FLOAT"), wider("BOOLEAN", "SMALLINT")
    ('INTEGER', 'FLOAT', 'SMALLINT')
    """
    order = ["BOOLEAN", *INTEGERS, *FLOATS]
    return max(plain(left), plain(right), key=order.index)


def plain(kind: str) -> str:
    """Return the type that OpenMLDB has for one that only DuckDB has."""
    if kind.startswith("DECIMAL"):
        return "DOUBLE"
    if kind in ("TINYINT", "UTINYINT"):
        return "SMALLINT"
    return "BIGINT" if kind in ("HUGEINT", "UINTEGER", "UBIGINT", "USMALLINT") else kind


def common(left: str, right: str) -> str:
    """Return the type of a CASE with values of two types.

    >>> common("INTEGER", "VARCHAR"), common("BIGINT", "FLOAT"), common("INTEGER", "FLOAT")
    ('VARCHAR', 'DOUBLE', 'FLOAT')
    """
    if left == right:
        return left
    if "VARCHAR" in (left, right):
        return "VARCHAR"
    if is_number(left) and is_number(right):
        kinds = {plain(left), plain(right)}
        return "DOUBLE" if kinds == {"BIGINT", "FLOAT"} else wider(left, right)
    if {left, right} <= {"DATE", "TIMESTAMP"}:
        return "TIMESTAMP"
    if "TIMESTAMP" in (left, right) and (is_number(left) or is_number(right)):
        return "TIMESTAMP"
    return "VARCHAR"


def wrapped(sql: str, kind: str) -> str:
    """Return an integer of more bits cut to those of a type, as two's complement does.

    >>> wrapped("x", "SMALLINT")
    'CAST(((x + 32768) & 65535) - 32768 AS SMALLINT)'
    """
    half = 2 ** (INTEGERS[kind] - 1)
    return f"CAST((({sql} + {half}) & {2 * half - 1}) - {half} AS {kind})"


def converted(sql: str, found: str, wanted: str) -> str | None:
    """Return a value of one type as SQL of another; what cannot be converted is NULL.

    Parameters
    ----------
    sql
        The value, safe to be repeated and to stand beside operators.
    found, wanted
        Its type, and the type to convert to.
    """
    if found == wanted:
        return sql
    if wanted == "VARCHAR":
        return to_text(sql, found)
    if wanted == "BOOLEAN":
        return _to_boolean(sql, found)
    if wanted in INTEGERS:
        return _to_integer(sql, found, wanted)
    if wanted in FLOATS:
        return _to_float(sql, found, wanted)
    if wanted == "TIMESTAMP":
        return to_time(sql, found)
    if wanted == "DATE":
        return _to_date(sql, found)
    return None


def to_text(sql: str, found: str) -> str:
    """Return a value as text: times in the zone, floats with six digits."""
    if found == "TIMESTAMP":
        return f"strftime({sql} + {ZONE}, '%Y-%m-%d %H:%M:%S')"
    if found == "DATE":
        return f"strftime({sql}, '%Y-%m-%d')"
    if found in FLOATS or found.startswith("DECIMAL"):
        return f"format('{{:g}}', CAST({sql} AS DOUBLE))"
    return f"CAST({sql} AS VARCHAR)"


def _to_boolean(sql: str, found: str) -> str:
    if found == "VARCHAR":
        return f"CASE WHEN lower({sql}) IN {_TRUE} THEN true WHEN lower({sql}) IN {_FALSE} THEN false END"
    if found == "TIMESTAMP":
        return f"(epoch_ms({sql}) <> 0)"
    if found == "DATE":
        return _null(sql, "BOOLEAN")
    return f"({sql} <> 0)"


def _to_integer(sql: str, found: str, wanted: str) -> str:
    if found == "VARCHAR":
        whole = f"CASE WHEN regexp_full_match({sql}, '\\s*[+-]?[0-9]+\\s*') THEN {sql} END"
        return f"TRY_CAST({whole} AS {wanted})"
    if found == "TIMESTAMP":
        return converted(f"epoch_ms({sql})", "BIGINT", wanted) or ""
    if found == "DATE":
        return _null(sql, wanted)
    if found in FLOATS or found.startswith("DECIMAL"):
        whole = f"TRY_CAST(trunc(CAST({sql} AS DOUBLE)) AS BIGINT)"
        return whole if wanted == "BIGINT" else wrapped(f"CAST({whole} AS HUGEINT)", wanted)
    if found == "BOOLEAN" or INTEGERS.get(found, 128) <= INTEGERS[wanted]:
        return f"CAST({sql} AS {wanted})"
    return wrapped(f"CAST({sql} AS HUGEINT)", wanted)


def _to_float(sql: str, found: str, wanted: str) -> str:
    if found == "VARCHAR":
        return f"TRY_CAST({sql} AS {wanted})"
    if found == "TIMESTAMP":
        return f"CAST(epoch_ms({sql}) AS {wanted})"
    if found == "DATE":
        return _null(sql, wanted)
    return narrowed(sql) if wanted == "FLOAT" and found != "FLOAT" else f"CAST({sql} AS {wanted})"


def narrowed(sql: str) -> str:
    """Return a number as FLOAT, infinite where it is too great."""
    return f"coalesce(TRY_CAST({sql} AS FLOAT), CASE WHEN {sql} > 0 THEN 'inf' WHEN {sql} < 0 THEN '-inf' END::FLOAT)"


def to_time(sql: str, found: str) -> str:
    """Return a value as TIMESTAMP: numbers are milliseconds, texts and dates are in the zone."""
    if found == "VARCHAR":
        return f"(try_strptime({sql}, {_TIME_FORMATS}) - {ZONE})"
    if found == "DATE":
        return f"(CAST({sql} AS TIMESTAMP) - {ZONE})"
    millis = _to_integer(sql, found, "BIGINT")
    return f"CASE WHEN {millis} BETWEEN 0 AND {_LAST_TIME} THEN make_timestamp_ms({millis}) END"


def _to_date(sql: str, found: str) -> str:
    if found == "VARCHAR":
        return f"CAST(try_strptime({sql}, {_DATE_FORMATS}) AS DATE)"
    if found == "TIMESTAMP":
        return f"CAST({sql} + {ZONE} AS DATE)"
    return _null(sql, "DATE")


def _null(sql: str, kind: str) -> str:
    """NULL of a type, which still reads the value, so that it stays an expression of the row."""
    return f"CASE WHEN {sql} IS NULL THEN CAST(NULL AS {kind}) END"


def truth(sql: str, found: str) -> str:
    """Return a value of any type as a condition: a text holds when it is not empty, a date whenever there is one."""
    if found == "BOOLEAN":
        return sql
    if found == "VARCHAR":
        return f"({sql} <> '')"
    return f"({sql} IS NOT NULL OR NULL)" if found == "DATE" else _to_boolean(sql, found)
