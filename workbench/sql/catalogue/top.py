"""The greatest and the most frequent values."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.sql.catalogue.entry import Function, Part
from workbench.sql.catalogue.texts import as_text, joined

_COUNTS = {"found": Part("histogram", ("{x}",))}
#: The values by how often they occur, the most frequent first, the smaller among equals.
_FREQUENT = (
    "list_transform(list_sort(list_transform(map_entries({found}), "
    "lambda e: struct_pack(c := - CAST(e.value AS BIGINT), k := e.key))), lambda e: e.k)[1:{n}]"
)


def _top(types: Mapping[str, str]) -> str:
    return joined(f"list_transform({{found}}, lambda v: {as_text('v', types['x'])})")


def _topn_frequency(types: Mapping[str, str]) -> str:
    texts = f"list_transform({_FREQUENT}, lambda v: {as_text('v', types['x'])})"
    filled = f"array_to_string(list_resize({texts}, {{n}}, 'NULL'), ',')"
    nothing = "array_to_string(list_resize(['NULL'], {n}, 'NULL'), ',')"
    return f"CASE WHEN {{rows}} = 0 THEN '' ELSE coalesce({filled}, {nothing}) END"


FUNCTIONS = (
    Function(
        "max",
        "x, n: count",
        "The n greatest values as a LIST, greatest first; max(x) alone is the greatest value.",
        "max(amount, 2) OVER w",
        [40.0, 30.0],
        native="max",
        aggregate=True,
        source="DuckDB",
    ),
    Function(
        "most_frequent",
        "x, n: count",
        "The n most frequent values as a LIST, the smaller first among equally frequent ones.",
        "most_frequent(items, 2) OVER w",
        [2, 1],
        parts=_COUNTS,
        result=_FREQUENT,
        source="values by descending count, then ascending value",
    ),
    Function(
        "mode_share",
        "x",
        "How large a share the most frequent value has among all values.",
        "mode_share(shop) OVER w",
        0.75,
        parts=_COUNTS,
        result="list_max(map_values({found})) / list_sum(map_values({found}))",
        source="count of the mode / count(x)",
    ),
    Function(
        "top",
        "x, n: count",
        "The n greatest values, greatest first, as OpenMLDB's text.",
        "top(amount, 2) OVER w",
        "40.000000,30.000000",
        parts={"found": Part("max", ("{x}", "{n}"))},
        result=_top,
        empty="''",
        source="OpenMLDB",
    ),
    Function(
        "topn_frequency",
        "x, n: whole",
        "The n most frequent values as OpenMLDB's text, filled up with the word NULL.",
        "topn_frequency(shop, 3) OVER w",
        "food,fuel,NULL",
        parts={**_COUNTS, "rows": Part("count")},
        result=_topn_frequency,
        empty="''",
        source="OpenMLDB",
    ),
    Function(
        "top1_ratio",
        "x",
        "mode_share(x), and 0 where there is no value, as OpenMLDB has it.",
        "top1_ratio(shop) OVER w",
        0.75,
        parts=_COUNTS,
        result="coalesce(list_max(map_values({found})) / list_sum(map_values({found})), 0)",
        empty="0",
        source="OpenMLDB",
    ),
)
