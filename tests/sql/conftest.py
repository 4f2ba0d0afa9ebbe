"""Queries are translated against the shop's schemas; no project is needed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import shop
from workbench.plan.model import FeaturePlan
from workbench.plan.tables import SourceTable
from workbench.sql.define import define
from workbench.sql.functions import Functions
from workbench.storage.session import connect

TABLES = {
    "tx": SourceTable("tx", shop.TX, "ts"),
    "logins": SourceTable("logins", shop.LOGINS, "at"),
    "cards": SourceTable("cards", shop.CARDS, None),
}


@pytest.fixture(scope="session")
def functions() -> Functions:
    return Functions(connect(threads=1))


@pytest.fixture(scope="session")
def plan_of(functions: Functions) -> Callable[[str], FeaturePlan]:
    return lambda query: define(query, TABLES, functions)
