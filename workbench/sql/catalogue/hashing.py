"""Stable hashes: FarmHash's Fingerprint64 as a signed integer, the same on every machine and in every version.

Text and BLOB are hashed as their bytes; numbers as the bytes of their type, low byte first, so an INTEGER and a BIGINT
of the same value differ; times as milliseconds since 1970; dates as OpenMLDB packs them.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.kernels.farmhash import FINGERPRINT
from workbench.sql.catalogue.entry import Function

_NUMBERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE"}
_UNSIGNED = {"UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"}


def _hash(types: Mapping[str, str]) -> str:
    kind = types["x"]
    if kind == "VARCHAR":
        return f"{FINGERPRINT}(encode({{x}}), false)"
    if kind == "BLOB":
        return f"{FINGERPRINT}({{x}}, false)"
    value = "{x}"
    if kind == "BOOLEAN":
        value = "CAST({x} AS TINYINT)"
    elif kind == "TIMESTAMP":
        value = "epoch_ms({x})"
    elif kind == "DATE":
        value = "CAST((year({x}) - 1900) * 65536 + (month({x}) - 1) * 256 + day({x}) AS INTEGER)"
    elif kind not in _NUMBERS | _UNSIGNED:
        return f"{FINGERPRINT}(encode(CAST({{x}} AS VARCHAR)), false)"
    return f"{FINGERPRINT}(CAST(CAST({value} AS BIT) AS BLOB), true)"


def _bucket(types: Mapping[str, str]) -> str:
    return f"((({_hash(types)}) % {{n}}) + {{n}}) % {{n}}"


FUNCTIONS = (
    Function(
        "hash64",
        "x",
        "FarmHash's Fingerprint64 of a value: of the bytes of texts and BLOBs, of numbers in their type's width, of "
        "times in milliseconds; other types are hashed as text. Plain DuckDB does not have it.",
        "hash64(shop)",
        1642648486008160419,
        result=_hash,
        aliases=("farm_fingerprint",),
        source="FarmHash (Google)",
    ),
    Function(
        "hash_bucket",
        "x, n: count",
        "A value's bucket, 0 to n - 1, by its hash.",
        "hash_bucket(shop, 1000)",
        419,
        result=_bucket,
        source="hash64(x) modulo n",
    ),
)
