"""OpenMLDB's own cases: nearly all pass, and exactly those fail that are known to."""

from __future__ import annotations

import pytest

from tests.conformance.cases import Case
from tests.conformance.known import PAGE, known, written
from tests.conformance.replay import MODES
from tests.conformance.runner import default_cases, outcomes, read

LEAST = 0.97
#: Each part is a test of its own, so that several processes share them.
PARTS = 10

pytestmark = pytest.mark.skipif(
    not default_cases().is_file(), reason=f"the cases are not there: {default_cases()}"
)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read(default_cases())


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("mode", MODES)
def test_exactly_the_known_cases_fail(cases: list[Case], mode: str, part: int) -> None:
    here = cases[part::PARTS]
    found = {one.case.id: one.problem for one in outcomes(here, modes=(mode,)) if one.problem is not None}
    expected = known(mode) & {case.id for case in here}
    assert {id: why for id, why in found.items() if id not in expected} == {}
    assert expected - set(found) == set(), "these pass now: take them out of known.toml"


@pytest.mark.parametrize("mode", MODES)
def test_nearly_all_cases_pass(cases: list[Case], mode: str) -> None:
    ids = {case.id for case in cases}
    assert known(mode) <= ids, "not in the suite"
    assert 1 - len(known(mode)) / len(ids) >= LEAST


def test_the_page_tells_what_the_cases_show(cases: list[Case]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert written(page, cases) == page, "run python -m tests.conformance --page"
