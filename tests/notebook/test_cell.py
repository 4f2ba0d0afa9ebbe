"""The panel: what it shows, and what its buttons do while the kernel stays free."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from IPython.utils.capture import capture_output

from tests.notebook.fakes import FakeDeployment, FakeView, report
from workbench.errors import DefinitionError, Position
from workbench.notebook.cell import FeatureCell


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.005)


def finish(panel: FeatureCell, view: FakeView) -> None:
    view.gate.set()
    assert panel.working is not None
    panel.working.join(30)
    assert not panel.working.is_alive()


def buttons(panel: FeatureCell) -> list[Any]:
    return [panel.check, panel.deploy, panel.roll_back, panel.stop]


def test_summary_has_schema_profile_and_rows_escaped(view: FakeView) -> None:
    shown = FeatureCell(view, rows=4).summary.value
    for expected in (
        "spend",
        "draft",
        "payments",
        "BIGINT",
        "50.0%",
        "<svg",
        "preview: 4 rows",
        "&lt;b&gt;x&lt;/b&gt;",
    ):
        assert expected in shown
    assert "<b>x</b>" not in shown


def test_shown_rows_are_spread_and_hold_both_ends(view: FakeView) -> None:
    shown = FeatureCell(view, rows=3).summary.value
    first, last = '<td class="wb-number">0</td>', '<td class="wb-number">49</td>'
    assert first in shown and last in shown


def test_rows_0_computes_nothing(view: FakeView) -> None:
    view.rows = AssertionError("computed")  # type: ignore[assignment]
    shown = FeatureCell(view, rows=0).summary.value
    assert "computed" not in shown
    assert "VARCHAR" in shown


def test_a_preview_that_fails_is_shown_with_the_schema(view: FakeView) -> None:
    view.rows = DefinitionError(  # type: ignore[assignment]
        "overflow", position=Position(1, 8), source="SELECT sum(x)", hint="cast to HUGEINT"
    )
    shown = FeatureCell(view).summary.value
    assert "overflow" in shown and "cast to HUGEINT" in shown and "^" in shown
    assert "BIGINT" in shown


def test_outputs_are_stored_html_around_the_buttons(ip: Any, view: FakeView) -> None:
    with capture_output() as captured:
        FeatureCell(view).show()
    summary, buttons, *_ = (output.data for output in captured.outputs)
    assert "BIGINT" in summary["text/html"] and "<script" not in summary["text/html"]
    assert "spend" in summary["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in buttons


def test_ends_are_written_into_the_stored_output(ip: Any, view: FakeView) -> None:
    panel = FeatureCell(view)
    view.outcome = report(different=0)
    with capture_output() as captured:
        panel.show()
        panel.check.click()
        finish(panel, view)
    assert any("all equal" in output.data.get("text/html", "") for output in captured.outputs)


def test_buttons_are_disabled_while_one_works_and_progress_shows(view: FakeView) -> None:
    panel = FeatureCell(view)
    panel.check.click()
    until(lambda: panel.step.value == "replaying requests")
    assert panel.progress.value == 0.25
    assert panel.progress.layout.display == ""
    assert all(button.disabled for button in buttons(panel))
    view.outcome = report(different=0)
    finish(panel, view)
    assert not any(button.disabled for button in buttons(panel))
    assert panel.progress.layout.display == "none"
    assert "50,000 values of 10,000 rows compared, all equal" in panel.report.value


def test_a_difference_is_shown_with_examples(view: FakeView) -> None:
    view.outcome = report(different=3)
    panel = FeatureCell(view)
    panel.check.click()
    finish(panel, view)
    assert "3 different" in panel.report.value
    assert "total" in panel.report.value


@pytest.mark.parametrize("error", [ValueError("<broken>"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_failure_is_shown_and_can_be_tried_again(view: FakeView, error: BaseException) -> None:
    view.outcome = error
    panel = FeatureCell(view)
    panel.deploy.click()
    finish(panel, view)
    assert "deploying failed" in panel.problem.value
    assert type(error).__name__ in panel.problem.value
    assert "<broken>" not in panel.problem.value
    assert not panel.deploy.disabled
    view.outcome = FakeDeployment()
    panel.deploy.click()
    finish(panel, view)
    assert panel.problem.value == ""
    assert "● live" in panel.endpoint.value


def test_deploy_shows_how_to_call_and_then_rolls_back_and_stops(view: FakeView) -> None:
    panel = FeatureCell(view)
    assert panel.stop.layout.display == panel.roll_back.layout.display == "none"
    view.outcome = deployed = FakeDeployment(version=2)
    panel.deploy.click()
    finish(panel, view)
    assert "version 2" in panel.endpoint.value and "version 2" in panel.summary.value
    assert "$WORKBENCH_API_KEY" in panel.endpoint.value
    assert panel.stop.layout.display == panel.roll_back.layout.display == ""
    panel.roll_back.click()
    finish(panel, view)
    assert "version 1" in panel.endpoint.value
    assert panel.roll_back.layout.display == "none"  # nothing before it
    panel.stop.click()
    finish(panel, view)
    assert panel.endpoint.value == ""
    assert panel.stop.layout.display == "none"
    assert not deployed.stopped  # what was rolled back to is what was stopped


def test_a_view_that_is_deployed_already_says_so(view: FakeView) -> None:
    view.live = FakeDeployment(version=7)
    panel = FeatureCell(view)
    assert "version 7" in panel.endpoint.value
    assert panel.stop.layout.display == ""
