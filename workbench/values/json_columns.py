"""Rows as JSON text straight into Arrow columns: the fast way for bodies that leave nothing to discuss.

A row class is made per table, so that the decoder checks types and names while it reads, and whole columns go to Arrow.
Whatever is unusual (a value that needs converting, an unknown or doubled name, something that is no row) gives None:
the caller then goes through :func:`workbench.values.coerce.to_table`, which converts it or names field and row. So
this way stores only what the other would store, in the same form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from workbench.values.columns import from_values
from workbench.values.convert import Unfit
from workbench.values.grammar import Scalar, Type, parse
from workbench.values.types import INTEGER_RANGES, WIDE_INTEGERS, arrow_schema

_NAME_ENDS = re.compile(rb'"\s*:')
_SPACES_AFTER_TEXT = (b'" ', b'"\n', b'"\r', b'"\t')
_TIMES = (
    (r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)$", pa.timestamp("us", "UTC")),
    (r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?$", pa.timestamp("us")),
)
_DATE = r"^\d{4}-\d\d-\d\d$"
_YEAR_ZERO = r"^0000"

Column = Callable[[list[Any]], Any]


class JsonColumns:
    """Decodes bodies of one table's rows."""

    def __init__(self, columns: Mapping[str, str], required: frozenset[str]) -> None:
        self._schema = arrow_schema(columns)
        names = [f"f{at}" for at in range(len(columns))]
        nodes = [parse(kind) for kind in columns.values()]
        row = msgspec.defstruct(
            "Row",
            [
                (name, _python_type(node), msgspec.NODEFAULT if column in required else msgspec.UNSET)
                for name, node, column in zip(names, nodes, columns, strict=True)
            ],
            rename=dict(zip(names, columns, strict=True)),
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        self._one = msgspec.json.Decoder(row).decode
        self._array = msgspec.json.Decoder(list[row]).decode  # type: ignore[valid-type]
        self._lines = msgspec.json.Decoder(row).decode_lines
        self._columns: list[tuple[attrgetter[Any], Column]] = [
            (attrgetter(name), _column(node, field.type))
            for name, node, field in zip(names, nodes, self._schema, strict=True)
        ]

    def table(self, body: bytes, *, lines: bool = False) -> pa.Table | None:
        """Return the rows of a body, None when it has to be looked at more closely.

        Parameters
        ----------
        body
            A JSON object, an array of objects or, with ``lines``, an object a line.
        """
        try:
            if lines:
                rows = self._lines(body)
            else:
                rows = [self._one(body)] if body.lstrip()[:1] == b"{" else self._array(body)
            return self._built(rows, body) if rows else None
        except (ValueError, OverflowError, RecursionError, pa.ArrowException, Unfit):
            return None

    def _built(self, rows: list[Any], body: bytes) -> pa.Table | None:
        given = len(rows) * len(self._columns)
        arrays = []
        for get, convert in self._columns:
            values = [get(row) for row in rows]
            missing = values.count(msgspec.UNSET)
            if missing:
                given -= missing
                values = [None if value is msgspec.UNSET else value for value in values]
            arrays.append(convert(values))
        # One object that has a name twice has fewer values than names.
        return pa.Table.from_arrays(arrays, schema=self._schema) if _names(body, given) == given else None


@lru_cache(maxsize=128)
def _of(columns: tuple[tuple[str, str], ...], required: frozenset[str]) -> JsonColumns:
    return JsonColumns(dict(columns), required)


def json_columns(columns: Mapping[str, str], required: Collection[str] = ()) -> JsonColumns:
    """Return the decoder of rows with these columns, made once.

    Parameters
    ----------
    columns
        ``{column: DuckDB type}``.
    required
        Columns that a row must have; the others are NULL when left out.

    >>> json_columns({"id": "BIGINT"}).table(b'[{"id": 1}, {"id": null}]').to_pylist()
    [{'id': 1}, {'id': None}]
    """
    return _of(tuple(columns.items()), frozenset(required))


def _names(body: bytes, expected: int) -> int:
    """Return how many names the body has at most; counting texts is a tenth of the regular expression."""
    if not any(spaces in body for spaces in _SPACES_AFTER_TEXT):
        return body.count(b'":')
    return len(_NAME_ENDS.findall(body))


def _python_type(node: Type) -> Any:
    """Return what the decoder may accept where its value is the column's value; anything, where a converter follows."""
    if isinstance(node, Scalar):
        if node.name in INTEGER_RANGES and node.name not in WIDE_INTEGERS:
            return int | None
        if node.name in _PYTHON_TYPES:
            return _PYTHON_TYPES[node.name]
    return Any


_PYTHON_TYPES = {
    "DOUBLE": float | int | None,
    "VARCHAR": str | None,
    "BOOLEAN": bool | None,
    "TIMESTAMP": str | None,
    "DATE": str | None,
}


def _column(node: Type, target: pa.DataType) -> Column:
    if isinstance(node, Scalar) and node.name == "TIMESTAMP":
        return lambda values: _times(values, node, target)
    if isinstance(node, Scalar) and node.name == "DATE":
        return lambda values: _dates(values, node, target)
    if _python_type(node) is Any:
        return lambda values: from_values(values, node, target)
    return lambda values: pa.array(values, target)


def _times(values: list[Any], node: Type, target: pa.DataType) -> Any:
    """Arrow reads the common forms of a time, a converter the others."""
    if len(values) > 1:
        texts = pa.array(values, pa.string())
        for pattern, kind in _TIMES:
            if _all_match(texts, pattern):
                return texts.cast(kind).cast(target)
    return from_values(values, node, target)


def _dates(values: list[Any], node: Type, target: pa.DataType) -> Any:
    if len(values) > 1:
        texts = pa.array(values, pa.string())
        if _all_match(texts, _DATE):
            return texts.cast(target)
    return from_values(values, node, target)


def _all_match(texts: Any, pattern: str) -> bool:
    year_zero = pc.any(
        pc.match_substring_regex(texts, _YEAR_ZERO)
    ).as_py()  # there is none in Python and DuckDB
    return not year_zero and pc.all(pc.match_substring_regex(texts, pattern)).as_py() is not False
