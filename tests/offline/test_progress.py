"""Long steps say what they do and how much of the whole is done; what fails frees what it held."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.errors import RowError


def test_progress_rises_to_done(view: Any) -> None:
    steps: list[tuple[str, float]] = []
    view.offline(progress=lambda step, done: steps.append((step, done))).to_pyarrow()
    shares = [done for _, done in steps]
    assert shares == sorted(shares) and shares[-1] == 1.0
    words = " ".join(step for step, _ in steps)
    assert "reading tx" in words and "joining cards" in words and "windows over logins by card" in words


def test_a_value_that_cannot_be_computed_is_an_error_of_the_rows(project: Any) -> None:
    sums = project.define(
        "sums", "SELECT sum(id + 9223372036854775000) OVER (PARTITION BY card ORDER BY ts) AS big FROM tx"
    )
    with pytest.raises(RowError, match=r"an integer sum does not fit BIGINT \(big\)"):
        sums.offline().to_pyarrow()
    casts = project.define("casts", "SELECT mcc::INTEGER AS x FROM tx")
    with pytest.raises(RowError, match="a value cannot be computed"):
        casts.offline().to_pyarrow()


@pytest.mark.parametrize(
    "query", ["SELECT mcc::INTEGER AS x FROM tx", "SELECT id FROM tx WHERE mcc::INTEGER > 1"]
)
def test_a_failed_run_leaves_no_lease(project: Any, query: str) -> None:
    view = project.define("failing", query)
    leases = project.path / "leases"
    before = sorted(leases.iterdir()) if leases.exists() else []
    with pytest.raises(RowError):
        view.offline().to_pyarrow()
    assert (sorted(leases.iterdir()) if leases.exists() else []) == before
