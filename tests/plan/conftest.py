"""The catalogue: every ``snapshots/<name>.sql`` with its plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import shop
from workbench.plan.model import FeaturePlan
from workbench.plan.tables import SourceTable
from workbench.sql.define import define
from workbench.sql.functions import Functions
from workbench.storage.session import connect

SNAPSHOTS = Path(__file__).parent / "snapshots"
TABLES = {
    "tx": SourceTable("tx", shop.TX, "ts"),
    "logins": SourceTable("logins", shop.LOGINS, "at"),
    "cards": SourceTable("cards", shop.CARDS, None),
    "rates": SourceTable("rates", shop.RATES, "at", delay=3_600_000_000, ttl=30 * 86_400_000_000),
    "payouts": SourceTable("payouts", shop.PAYOUTS, "at", known="booked"),
}
NAMES = sorted(path.stem for path in SNAPSHOTS.glob("*.sql") if ".lowered" not in path.name)


@pytest.fixture(scope="session")
def functions() -> Functions:
    return Functions(connect(threads=1))


@pytest.fixture(scope="session")
def plans(functions: Functions) -> dict[str, FeaturePlan]:
    """The plans of the catalogue by name."""
    return {name: define((SNAPSHOTS / f"{name}.sql").read_text(), TABLES, functions) for name in NAMES}
