"""Column types: what DuckDB's types mean here, and their counterparts in Arrow and JSON.

A type is written everywhere as DuckDB writes it (``BIGINT``, ``DECIMAL(18,3)``, ``STRUCT(a INTEGER)[]``);
:func:`canonical` turns any other spelling into that one. Stored times are microseconds without a zone, meaning UTC,
whatever the spelling of the type was.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import pyarrow as pa

from workbench.errors import WorkbenchError
from workbench.values.grammar import Decimal, Enum, List, Map, Scalar, Struct, Type, canonical, parse

__all__ = [
    "INTEGER_RANGES",
    "TIMESTAMPS",
    "WIDE_INTEGERS",
    "arrow_schema",
    "arrow_type",
    "canonical",
    "duckdb_type",
    "parse",
    "python_example",
    "stored",
    "wire_schema",
]

#: Inclusive range of every integer type. The 128-bit ones travel as 38-digit decimals, so that is their limit here.
INTEGER_RANGES: dict[str, tuple[int, int]] = {
    "TINYINT": (-(2**7), 2**7 - 1),
    "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1),
    "BIGINT": (-(2**63), 2**63 - 1),
    "HUGEINT": (-(10**38) + 1, 10**38 - 1),
    "UTINYINT": (0, 2**8 - 1),
    "USMALLINT": (0, 2**16 - 1),
    "UINTEGER": (0, 2**32 - 1),
    "UBIGINT": (0, 2**64 - 1),
    "UHUGEINT": (0, 10**38 - 1),
}
WIDE_INTEGERS = frozenset({"HUGEINT", "UHUGEINT"})
TIMESTAMPS = frozenset(
    {"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"}
)


@lru_cache(maxsize=4096)
def stored(type_text: str) -> str:
    """Return the type that a table column of this type gets, or say why a table cannot have it.

    Times of any precision or zone become ``TIMESTAMP``, enums and JSON become ``VARCHAR``, arrays of fixed size become
    lists.

    >>> stored("TIMESTAMPTZ"), stored("ENUM('a')"), stored("FLOAT[3]")
    ('TIMESTAMP', 'VARCHAR', 'FLOAT[]')
    """
    return str(_stored(parse(type_text)))


def _stored(node: Type) -> Type:
    if isinstance(node, List):
        return List(_stored(node.item))
    if isinstance(node, Struct):
        return Struct(tuple((name, _stored(item)) for name, item in node.fields))
    if isinstance(node, Map):
        return Map(_stored(node.key), _stored(node.value))
    if isinstance(node, Enum) or node == Scalar("JSON"):
        return Scalar("VARCHAR")
    if isinstance(node, Scalar):
        if node.name in TIMESTAMPS:
            return Scalar("TIMESTAMP")
        if node.name == "TIME_NS":
            return Scalar("TIME")
        if node.name == "INTERVAL":
            raise WorkbenchError(
                "a table column cannot be an INTERVAL",
                hint="store the duration as BIGINT seconds or microseconds",
            )
    return node


# --- Arrow ---

_ARROW: dict[str, pa.DataType] = {
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "HUGEINT": pa.decimal128(38, 0),
    "UTINYINT": pa.uint8(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "UHUGEINT": pa.decimal128(38, 0),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "JSON": pa.string(),
    "UUID": pa.string(),
    "BLOB": pa.binary(),
    "BOOLEAN": pa.bool_(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIME_NS": pa.time64("us"),
    "INTERVAL": pa.month_day_nano_interval(),
    **dict.fromkeys(TIMESTAMPS, pa.timestamp("us")),
}


@lru_cache(maxsize=4096)
def arrow_type(duckdb_type: str) -> pa.DataType:
    """Return the Arrow type that holds values of a DuckDB type.

    128-bit integers are ``decimal128(38, 0)`` and UUIDs are strings, as in DuckDB's own Arrow output.
    """
    return _arrow(parse(duckdb_type))


def arrow_schema(columns: Mapping[str, str]) -> pa.Schema:
    """Return the Arrow schema of ``{column: DuckDB type}``."""
    return pa.schema([(name, arrow_type(item)) for name, item in columns.items()])


def _arrow(node: Type) -> pa.DataType:
    if isinstance(node, Scalar):
        return _ARROW[node.name]
    if isinstance(node, Decimal):
        return pa.decimal128(node.precision, node.scale)
    if isinstance(node, List):
        return pa.list_(_arrow(node.item)) if node.size is None else pa.list_(_arrow(node.item), node.size)
    if isinstance(node, Struct):
        return pa.struct([(name, _arrow(item)) for name, item in node.fields])
    if isinstance(node, Map):
        return pa.map_(_arrow(node.key), _arrow(node.value))
    return pa.string()


_FROM_ARROW: dict[int, str] = {
    pa.int8().id: "TINYINT",
    pa.int16().id: "SMALLINT",
    pa.int32().id: "INTEGER",
    pa.int64().id: "BIGINT",
    pa.uint8().id: "UTINYINT",
    pa.uint16().id: "USMALLINT",
    pa.uint32().id: "UINTEGER",
    pa.uint64().id: "UBIGINT",
    pa.float16().id: "FLOAT",
    pa.float32().id: "FLOAT",
    pa.float64().id: "DOUBLE",
    pa.string().id: "VARCHAR",
    pa.large_string().id: "VARCHAR",
    pa.string_view().id: "VARCHAR",
    pa.binary().id: "BLOB",
    pa.large_binary().id: "BLOB",
    pa.binary_view().id: "BLOB",
    pa.binary(1).id: "BLOB",
    pa.bool_().id: "BOOLEAN",
    pa.date32().id: "DATE",
    pa.date64().id: "DATE",
    pa.time32("s").id: "TIME",
    pa.time64("us").id: "TIME",
    pa.timestamp("us").id: "TIMESTAMP",
}
_EXTENSIONS = {"arrow.uuid": "UUID", "arrow.json": "VARCHAR", "arrow.bool8": "BOOLEAN"}


def duckdb_type(arrow: Any) -> str:
    """Return the DuckDB type of a table column that holds values of an Arrow type.

    Raises
    ------
    WorkbenchError
        No table column can hold such values exactly (intervals, unions, decimals of more than 38 digits …).
    """
    types = pa.types
    if arrow.id in _FROM_ARROW:
        return _FROM_ARROW[arrow.id]
    if types.is_dictionary(arrow) or types.is_run_end_encoded(arrow):
        return duckdb_type(arrow.value_type)
    if types.is_decimal(arrow) and arrow.precision <= 38 and 0 <= arrow.scale <= arrow.precision:
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if is_list(arrow):
        return duckdb_type(arrow.value_type) + "[]"
    if types.is_struct(arrow) and arrow.num_fields:
        fields = tuple((field.name, parse(duckdb_type(field.type))) for field in arrow)
        return str(Struct(fields))
    if types.is_map(arrow):
        return f"MAP({duckdb_type(arrow.key_type)}, {duckdb_type(arrow.item_type)})"
    extension = getattr(arrow, "extension_name", None)
    if extension in _EXTENSIONS:
        return _EXTENSIONS[extension]
    raise WorkbenchError(
        f"a table column cannot hold values of the Arrow type {arrow}", hint=_arrow_hint(arrow)
    )


def is_list(arrow: Any) -> bool:
    """Whether an Arrow type is one of the list types (plain, large, view, fixed size)."""
    types = pa.types
    return bool(
        types.is_list(arrow)
        or types.is_large_list(arrow)
        or types.is_fixed_size_list(arrow)
        or types.is_list_view(arrow)
        or types.is_large_list_view(arrow)
    )


def _arrow_hint(arrow: Any) -> str:
    if pa.types.is_null(arrow):
        return "all values are NULL, so there is no type: cast the column, or give {column: type}"
    if pa.types.is_duration(arrow) or pa.types.is_interval(arrow):
        return "store the duration as BIGINT seconds or microseconds"
    if pa.types.is_decimal(arrow):
        return "cast it to at most 38 digits with a scale between 0 and the precision"
    return "cast the column to a type that DuckDB stores, or leave it out"


# --- JSON ---

_NAMED_FLOATS = ("NaN", "Infinity", "-Infinity")
_DIGITS = r"^-?\d+$"
_TEXT_SCHEMAS: dict[str, dict[str, Any]] = {
    "VARCHAR": {},
    "JSON": {},
    "UUID": {"format": "uuid"},
    "BLOB": {"contentEncoding": "base64"},
    "DATE": {"format": "date"},
    "TIME": {"format": "time", "description": "ISO-8601, µs"},
    "TIME_NS": {"format": "time", "description": "ISO-8601, µs"},
    "INTERVAL": {"format": "duration", "description": "ISO-8601, µs"},
    **{name: {"format": "date-time", "description": "ISO-8601 in UTC, µs"} for name in TIMESTAMPS},
}


def wire_schema(duckdb_type: str) -> dict[str, Any]:
    """Return the JSON schema of a column's values as they travel in JSON; NULL is always allowed.

    >>> wire_schema("BOOLEAN")
    {'type': ['boolean', 'null']}
    """
    return _nullable(_schema(parse(duckdb_type)))


def _schema(node: Type) -> dict[str, Any]:
    if isinstance(node, Decimal):
        return {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": str(node)}
    if isinstance(node, Enum):
        return {"type": "string", "enum": list(node.labels)}
    if isinstance(node, List):
        size = {} if node.size is None else {"minItems": node.size, "maxItems": node.size}
        return {"type": "array", "items": _nullable(_schema(node.item)), **size}
    if isinstance(node, Struct):
        fields = {name: _nullable(_schema(item)) for name, item in node.fields}
        return {"type": "object", "properties": fields, "additionalProperties": False}
    if isinstance(node, Map):
        return _map_schema(node)
    return _scalar_schema(node.name)


def _map_schema(node: Map) -> dict[str, Any]:
    value = _nullable(_schema(node.value))
    if node.key == Scalar("VARCHAR"):
        return {"type": "object", "additionalProperties": value}
    pair = {"type": "array", "prefixItems": [_schema(node.key), value], "minItems": 2, "maxItems": 2}
    return {"type": "array", "items": pair, "description": "a list of [key, value]"}


def _scalar_schema(name: str) -> dict[str, Any]:
    if name == "BOOLEAN":
        return {"type": "boolean"}
    if name in WIDE_INTEGERS:
        return {"type": "string", "pattern": _DIGITS, "description": f"{name}: an integer in digits"}
    if name in INTEGER_RANGES:
        low, high = INTEGER_RANGES[name]
        return {"type": "integer", "minimum": low, "maximum": high}
    if name in ("FLOAT", "DOUBLE"):
        return {"anyOf": [{"type": "number"}, {"type": "string", "enum": list(_NAMED_FLOATS)}]}
    return {"type": "string", **_TEXT_SCHEMAS[name]}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    if "enum" in schema:
        return {**schema, "type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


_EXAMPLES: dict[str, Any] = {
    "BOOLEAN": True,
    "FLOAT": 1.5,
    "DOUBLE": 1.5,
    "VARCHAR": "text",
    "JSON": "{}",
    "UUID": "123e4567-e89b-12d3-a456-426614174000",
    "BLOB": "AAEC",
    "DATE": "2026-01-02",
    "TIME": "03:04:05",
    "TIME_NS": "03:04:05",
    "INTERVAL": "P1DT2H",
    **dict.fromkeys(TIMESTAMPS, "2026-01-02T03:04:05Z"),
    **dict.fromkeys(INTEGER_RANGES, 1),
    **dict.fromkeys(WIDE_INTEGERS, "1"),
}


def python_example(duckdb_type: str) -> Any:
    """Return a value of that type as one may write it in Python and in JSON alike.

    >>> python_example("TIMESTAMP"), python_example("DECIMAL(18,3)"), python_example("BIGINT[]")
    ('2026-01-02T03:04:05Z', '1.500', [1])
    """
    return _example(parse(duckdb_type))


def _example(node: Type) -> Any:
    if isinstance(node, Decimal):
        return f"{1 if node.scale in (0, node.precision) else 1.5:.{node.scale}f}"
    if isinstance(node, Enum):
        return node.labels[0]
    if isinstance(node, List):
        return [_example(node.item)] * (node.size or 1)
    if isinstance(node, Struct):
        return {name: _example(item) for name, item in node.fields}
    if isinstance(node, Map):
        key, value = _example(node.key), _example(node.value)
        return {key: value} if node.key == Scalar("VARCHAR") else [[key, value]]
    return _EXAMPLES[node.name]
