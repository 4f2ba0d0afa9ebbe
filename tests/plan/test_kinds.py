"""What columns are to a model."""

from __future__ import annotations

import pytest

from workbench.errors import WorkbenchError
from workbench.plan.kinds import KINDS, Kind, default_kind, misfit, parse_kind


@pytest.mark.parametrize("text", [*sorted(KINDS), "discrete:1", "discrete:1000"])
def test_a_kind_is_read_as_it_is_written(text: str) -> None:
    assert str(parse_kind(text)) == text


@pytest.mark.parametrize(
    "text", ["discret", "discrete:", "discrete:0", "discrete:-1", "discrete:x", "continuous:3", ""]
)
def test_what_is_no_kind(text: str) -> None:
    with pytest.raises(WorkbenchError):
        parse_kind(text)


@pytest.mark.parametrize(
    ("kind", "fitting", "others"),
    [
        ("continuous", ["BIGINT", "DOUBLE", "DECIMAL(9,2)", "BOOLEAN"], ["VARCHAR", "DATE", "BIGINT[]"]),
        ("regression_label", ["DOUBLE", "UTINYINT"], ["VARCHAR", "TIMESTAMP"]),
        ("binary_label", ["BOOLEAN", "INTEGER"], ["DOUBLE", "VARCHAR"]),
        ("multiclass_label", ["INTEGER", "HUGEINT", "BOOLEAN"], ["DOUBLE", "VARCHAR"]),
        ("discrete", ["VARCHAR", "BIGINT", "DATE"], ["BIGINT[]", "STRUCT(a BIGINT)", "MAP(VARCHAR, INTEGER)"]),
    ],
)  # fmt: skip
def test_types_that_fit(kind: str, fitting: list[str], others: list[str]) -> None:
    assert [type_ for type_ in (*fitting, *others) if misfit(Kind(kind), type_) is None] == fitting


def test_what_nobody_said_goes_by_the_type() -> None:
    assert default_kind("DOUBLE") == default_kind("BOOLEAN") == Kind("continuous")
    assert default_kind("VARCHAR") == Kind("discrete")
    assert default_kind("TIMESTAMP") is None and default_kind("BIGINT[]") is None
