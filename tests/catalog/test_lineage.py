"""Every feature knows the columns that decide it: values, keys, orders and filters."""

from __future__ import annotations

from tests.catalog.plans import constant, risk
from workbench.catalog import lineage


def test_columns_of_every_feature() -> None:
    found = {
        item.feature: [str(column) for column in item.columns] for item in lineage.features(risk().to_json())
    }
    assert found == {
        "amount": ["tx.amount"],
        "total": ["tx.amount", "tx.card", "tx.ts"],
        "city": ["shops.id", "shops.town", "tx.shop"],
    }


def test_types_and_order_are_the_plans() -> None:
    assert [(item.feature, item.type) for item in lineage.features(risk().to_json())] == [
        ("amount", "DOUBLE"),
        ("total", "DOUBLE"),
        ("city", "VARCHAR"),
    ]


def test_a_constant_reads_nothing() -> None:
    (feature,) = lineage.features(constant().to_json())
    assert feature.columns == ()


def test_tables_start_with_the_anchors() -> None:
    assert list(lineage.tables(risk().to_json())) == ["tx", "shops"]
