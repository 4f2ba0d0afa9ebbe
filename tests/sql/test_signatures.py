"""Signature functions: what an output is to a model, said in the query."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.errors import DefinitionError


def test_a_signature_leaves_value_name_and_type(plan_of: Any) -> None:
    plan = plan_of("SELECT discrete(card), continuous(amount) AS a, (multiclass_label(n)) FROM tx")
    assert plan.features == {"card": "VARCHAR", "a": "DOUBLE", "n": "BIGINT"}
    assert {name: str(kind) for name, kind in plan.kinds.items()} == {
        "card": "discrete", "a": "continuous", "n": "multiclass_label",
    }  # fmt: skip
    assert "kind" not in plan_of("SELECT card FROM tx").to_json()


@pytest.mark.parametrize(
    ("query", "column", "message"),
    [
        ("SELECT discrete(n) + 1 AS m FROM tx", 8, "stands around the whole"),
        ("SELECT abs(continuous(n)) AS m FROM tx", 12, "stands around the whole"),
        ("SELECT continuous(card) FROM tx", 19, "takes a number, not VARCHAR"),
        ("SELECT binary_label(amount) FROM tx", 21, "BOOLEAN or an integer"),
        ("SELECT discrete(n, 0) FROM tx", 20, "constant whole number"),
        ("SELECT discrete(n, n) FROM tx", 20, "constant whole number"),
        ("SELECT discrete() FROM tx", 8, "takes one value, and the number of buckets"),
        ("SELECT continuous(n, 2) FROM tx", 8, "takes one value"),
    ],
)
def test_what_cannot_be_a_signature(plan_of: Any, query: str, column: int, message: str) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        plan_of(query)
    assert caught.value.position is not None and caught.value.position.column == column


def test_a_kind_is_of_the_select_that_says_it(plan_of: Any) -> None:
    inner = "(SELECT ts, discrete(card, 8) AS card, continuous(amount) AS a FROM tx) AS t"
    window = "WINDOW w AS (PARTITION BY card ORDER BY ts)"
    plan = plan_of(f"SELECT card, binary_label(sum(a) OVER w > 1) AS y FROM {inner} {window}")
    assert {name: str(kind) for name, kind in plan.kinds.items()} == {"y": "binary_label"}
