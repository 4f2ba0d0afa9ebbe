"""Column types have one spelling, and counterparts in Arrow and JSON."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from workbench.errors import WorkbenchError
from workbench.values.types import (
    arrow_schema,
    arrow_type,
    canonical,
    duckdb_type,
    python_example,
    stored,
    wire_schema,
)

SPELLINGS = [
    "tinyint", "int2", "INT", "int8", "hugeint", "utinyint", "uint16", "uinteger", "ubigint", "uhugeint", "real",
    "float8", "double precision", "text", "varchar(10)", "character varying(3)", "bytea", "logical", "date", "time",
    "time without time zone", "datetime", "timestamp(3)", "timestamp(9)", "timestamptz", "timestamp with time zone",
    "interval", "guid", "json", "numeric", "decimal(5)", "dec(4,2)", "int[][]", "int4[3][]", "int array",
    "int array[4]", "map(text, struct(a int))", "row(a int)[]", "enum('a', 'it''s')",
    'struct("A" int, "b c" text, "select" int, name int, "x""y" date)',
]  # fmt: skip

ALL_TYPES = [
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
    "FLOAT", "DOUBLE", "DECIMAL(4,1)", "DECIMAL(18,3)", "DECIMAL(38,10)", "VARCHAR", "JSON", "BLOB", "BOOLEAN", "DATE",
    "TIME", "TIMESTAMP", "UUID", "INTERVAL", "ENUM('a', 'b')", "BIGINT[]", "FLOAT[2]", "TIMESTAMP[][]",
    "STRUCT(a INTEGER, b VARCHAR[])", "MAP(VARCHAR, DECIMAL(18,3))", "MAP(INTEGER, STRUCT(x DOUBLE))",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_one_spelling_is_duckdbs_own(spelling: str) -> None:
    printed = duckdb.execute(f"SELECT CAST(NULL AS {spelling})").description[0][1]
    assert canonical(spelling) == str(printed)
    assert canonical(canonical(spelling)) == canonical(spelling)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("bigit", "unknown column type 'bigit'", "did you mean 'bigint'?"),
        ("zzz", "unknown column type 'zzz'", "types are DuckDB's"),
        ("decimal(40,2)", "DECIMAL(p,s) needs 1 <= p <= 38", "types are DuckDB's"),
        ("struct(a int, A int)", "field names must differ", "types are DuckDB's"),
        ("map(int)", "expected 2 parameters, got 1", "types are DuckDB's"),
        ("int x", "unexpected 'x'", "types are DuckDB's"),
        ("int(", "unexpected '('", "types are DuckDB's"),
        ("int; drop table t", "unexpected ';'", "types are DuckDB's"),
        ("", "it ends too early", "types are DuckDB's"),
        ("union(a int)", "columns of type UNION are not supported", "a column of its own"),
        ("timetz", "columns of type TIMETZ are not supported", "use TIME"),
    ],
)
def test_wrong_types_say_what_to_write(text: str, said: str, hint: str) -> None:
    with pytest.raises(WorkbenchError) as caught:
        canonical(text)
    assert said in caught.value.message
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("TIMESTAMPTZ", "TIMESTAMP"),
        ("TIMESTAMP_S", "TIMESTAMP"),
        ("TIMESTAMP_NS[]", "TIMESTAMP[]"),
        ("TIME_NS", "TIME"),
        ("ENUM('a')", "VARCHAR"),
        ("JSON", "VARCHAR"),
        ("STRUCT(e ENUM('a'), f FLOAT[3])", "STRUCT(e VARCHAR, f FLOAT[])"),
        ("MAP(UUID, HUGEINT)", "MAP(UUID, HUGEINT)"),
    ],
)
def test_columns_store_the_plain_type(given: str, kept: str) -> None:
    assert stored(given) == kept


def test_intervals_are_not_stored() -> None:
    with pytest.raises(WorkbenchError, match="cannot be an INTERVAL"):
        stored("STRUCT(a INTERVAL)")


@pytest.mark.parametrize(
    "kind", [kind for kind in ALL_TYPES if kind not in ("HUGEINT", "UHUGEINT", "UUID", "INTERVAL")]
)
def test_arrow_types_lead_back_to_the_column_type(kind: str) -> None:
    assert duckdb_type(arrow_type(kind)) == stored(kind)


@pytest.mark.parametrize("kind", [kind for kind in ALL_TYPES if not kind.startswith("ENUM")])
def test_arrow_types_are_those_of_duckdbs_output(kind: str) -> None:
    assert duckdb.execute(f"SELECT CAST(NULL AS {kind}) AS x").to_arrow_table().schema.field(
        "x"
    ).type == arrow_type(kind)


@pytest.mark.parametrize(
    ("arrow", "kind"),
    [
        (pa.large_string(), "VARCHAR"),
        (pa.string_view(), "VARCHAR"),
        (pa.dictionary(pa.int8(), pa.string()), "VARCHAR"),
        (pa.timestamp("ns", "Europe/Berlin"), "TIMESTAMP"),
        (pa.date64(), "DATE"),
        (pa.float16(), "FLOAT"),
        (pa.binary(4), "BLOB"),
        (pa.uuid(), "UUID"),
        (pa.decimal256(30, 2), "DECIMAL(30,2)"),
        (pa.large_list(pa.list_(pa.int8(), 2)), "TINYINT[][]"),
    ],
)
def test_arrow_types_that_inputs_have(arrow: pa.DataType, kind: str) -> None:
    assert duckdb_type(arrow) == kind


@pytest.mark.parametrize(
    ("arrow", "hint"),
    [
        (pa.null(), "all values are NULL"),
        (pa.duration("us"), "store the duration as BIGINT"),
        (pa.month_day_nano_interval(), "store the duration as BIGINT"),
        (pa.decimal256(50, 2), "at most 38 digits"),
        (pa.dense_union([pa.field("a", pa.int8())]), "leave it out"),
        (pa.list_(pa.null()), "all values are NULL"),
    ],
)
def test_arrow_types_that_no_column_holds(arrow: pa.DataType, hint: str) -> None:
    with pytest.raises(WorkbenchError, match="cannot hold values of the Arrow type") as caught:
        duckdb_type(arrow)
    assert hint in str(caught.value.hint)


def test_a_schema_keeps_names_and_order() -> None:
    assert arrow_schema({"b": "BIGINT", "a": "VARCHAR"}) == pa.schema([("b", pa.int64()), ("a", pa.string())])


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_every_type_has_a_nullable_json_schema(kind: str) -> None:
    schema = wire_schema(kind)
    alternatives = schema.get("anyOf", [schema])
    assert any("null" in alternative["type"] for alternative in alternatives)


def test_json_schemas_tell_ranges_and_shapes() -> None:
    assert wire_schema("UTINYINT") == {"type": ["integer", "null"], "minimum": 0, "maximum": 255}
    assert wire_schema("ENUM('a')") == {"type": ["string", "null"], "enum": ["a", None]}
    assert wire_schema("DOUBLE")["anyOf"][1]["enum"] == ["NaN", "Infinity", "-Infinity"]
    assert wire_schema("FLOAT[2]")["minItems"] == 2
    assert wire_schema("MAP(VARCHAR, BOOLEAN)")["additionalProperties"] == {"type": ["boolean", "null"]}
    assert wire_schema("MAP(DATE, BOOLEAN)")["description"] == "a list of [key, value]"


def test_examples_are_values_of_the_type() -> None:
    from workbench.values.wire import decode, encode

    for kind in ALL_TYPES:
        example = python_example(kind)
        assert encode(decode(example, kind), kind) == example, kind
