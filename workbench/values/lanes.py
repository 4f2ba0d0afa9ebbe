"""Lanes: in which of four forms the values of a type are computed with.

``i`` are 64-bit integers (also booleans, days, microseconds, decimals of at most 18 digits without their point), ``f``
are floats, ``s`` are texts, and ``o`` is everything else, which is only carried along.
"""

from __future__ import annotations

from functools import lru_cache

from workbench.values.grammar import Decimal, Scalar, parse

_LANES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "i"),
    **dict.fromkeys(("BOOLEAN", "DATE", "TIME", "TIMESTAMP"), "i"),
    **dict.fromkeys(("FLOAT", "DOUBLE"), "f"),
    "VARCHAR": "s",
}
LANE_DIGITS = 18


@lru_cache(maxsize=4096)
def lane_of(type_text: str) -> str:
    """Return the lane of a DuckDB type.

    >>> [lane_of(kind) for kind in ("DATE", "DECIMAL(18,2)", "FLOAT", "VARCHAR", "DECIMAL(19,2)", "INTEGER[]")]
    ['i', 'i', 'f', 's', 'o', 'o']
    """
    node = parse(type_text)
    if isinstance(node, Decimal):
        return "i" if node.precision <= LANE_DIGITS else "o"
    return _LANES.get(node.name, "o") if isinstance(node, Scalar) else "o"
