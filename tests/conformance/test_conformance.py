"""OpenMLDB's own cases: nearly all pass, and exactly those fail that are known to."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from tests.conformance.cases import Case
from tests.conformance.known import PAGE, known, written
from tests.conformance.replay import MODES, Outcome
from tests.conformance.runner import default_cases, outcomes, read

LEAST = 0.97

pytestmark = pytest.mark.skipif(
    not default_cases().is_file(), reason=f"the cases are not there: {default_cases()}"
)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read(default_cases())


@pytest.fixture(scope="module")
def found(cases: list[Case]) -> Sequence[Outcome]:
    return list(outcomes(cases, processes=min(os.cpu_count() or 1, 4)))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_cases(found: Sequence[Outcome], mode: str) -> None:
    here = [outcome for outcome in found if outcome.mode == mode]
    failed = {outcome.case.id: outcome.problem for outcome in here if outcome.problem is not None}
    expected = known(mode)
    assert {id: why for id, why in failed.items() if id not in expected} == {}
    assert expected - set(failed) == set(), "these pass now: take them out of known.toml"
    assert 1 - len(failed) / len(here) >= LEAST


def test_the_page_tells_what_the_cases_show(cases: list[Case]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, cases) == page, "run python -m tests.conformance --page"
