"""The panel under a ``%%feature`` cell: what the view is, and the buttons that check and deploy it.

Only the buttons are a widget, which dies with the kernel. What the view is, and what a check or a deployment gave, are
outputs of HTML beside it: they are stored with the notebook and read without a kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import ipywidgets as widgets
from IPython.display import display

from workbench.errors import NotFound, describe
from workbench.notebook import html, show, work
from workbench.notebook.output import Output
from workbench.notebook.summary import ROWS_SHOWN, summarise

if TYPE_CHECKING:
    from workbench.consistency import Report
    from workbench.deployment import Deployment
    from workbench.view import View

Outcome = TypeVar("Outcome")


class FeatureCell:
    """A feature view with its preview, profile and findings, and buttons to check, deploy, roll back and stop it.

    A button's work runs in a thread, so the kernel stays free; all buttons are disabled meanwhile.

    Parameters
    ----------
    view
        The view to show.
    rows
        How many preview rows to show; 0 shows the schema alone, without computing anything.

    Attributes
    ----------
    working
        The thread of the last click; None before the first.
    """

    def __init__(self, view: View, rows: int = ROWS_SHOWN) -> None:
        self.view = view
        self.working: threading.Thread | None = None
        self._deployment: Deployment | None = None
        self._summary = summarise(view, rows)
        self.summary = Output(self._summary.to_html(), repr(view))
        self.report, self.endpoint = Output(), Output()
        self.check = _button("Check", "Compare requests with the history, value by value", self._check)
        self.deploy = _button("Deploy", "Serve this query as an HTTP endpoint", self._deploy, "primary")
        self.roll_back = _button("Roll back", "Serve the version before this one again", self._roll_back)
        self.stop = _button("Stop", "Take the endpoint away", self._stop, "danger")
        self.progress = widgets.FloatProgress(min=0.0, max=1.0, layout=widgets.Layout(width="160px"))
        self.step, self.problem = widgets.Label(), widgets.HTML()
        self._set_working(False)
        self._show_deployment(_deployment_of(view))

    def show(self) -> None:
        """Put the panel into the output of the running cell."""
        row = widgets.Layout(flex_flow="row wrap", align_items="center")
        buttons = [self.check, self.deploy, self.roll_back, self.stop, self.progress, self.step]
        self.summary.show()
        display(widgets.VBox([widgets.HBox(buttons, layout=row), self.problem]))
        self.report.show()
        self.endpoint.show()

    # What the buttons do: the work runs in a thread, and what it gives is shown when it ends.

    def _check(self) -> None:
        self.report.value = ""
        self._start("checking", lambda progress: self.view.check(progress=progress), self._show_report)

    def _deploy(self) -> None:
        self._start("deploying", lambda progress: self.view.deploy(progress=progress), self._show_deployed)

    def _roll_back(self) -> None:
        deployment = self._deployment
        if deployment:
            self._start("rolling back", lambda _: deployment.rollback(), self._show_deployment)

    def _stop(self) -> None:
        deployment = self._deployment
        if deployment:
            self._start("stopping", lambda _: deployment.stop(), lambda _: self._show_deployment(None))

    def _start(
        self, step: str, job: Callable[[work.Progress], Outcome], done: Callable[[Outcome], None]
    ) -> None:
        self.problem.value = ""
        self._show_progress(step, 0.0)
        self._set_working(True)

        def end(shown: Callable[[], None]) -> None:
            self._set_working(False)
            shown()

        self.working = work.start(
            job,
            progress=self._show_progress,
            done=lambda outcome: end(lambda: done(outcome)),
            failed=lambda error: end(lambda: self._show_problem(step, error)),
        )

    # How the ends and the way there look.

    def _show_progress(self, step: str, share: float) -> None:
        self.step.value, self.progress.value = step, share

    def _show_problem(self, step: str, error: BaseException) -> None:
        self.problem.value = html.page(f'<b class="wb-bad">{step} failed</b>', html.message(describe(error)))

    def _show_report(self, report: Report) -> None:
        self.report.value = show.report(report)

    def _show_deployed(self, deployment: Deployment) -> None:
        # deploying cut a version of the draft: the heading says so
        self.view = self.view.project.view(deployment.view, deployment.version)
        self.summary.value = replace(self._summary, view=self.view).to_html()
        self._show_deployment(deployment)

    def _show_deployment(self, deployment: Deployment | None) -> None:
        self._deployment = deployment
        self.endpoint.value = show.deployment(deployment) if deployment else ""
        self.stop.layout.display = "" if deployment else "none"
        self.roll_back.layout.display = "" if deployment and deployment.previous_version else "none"

    def _set_working(self, working: bool) -> None:
        for button in (self.check, self.deploy, self.roll_back, self.stop):
            button.disabled = working
        for part in (self.progress, self.step):
            part.layout.display = "" if working else "none"


def _button(text: str, tooltip: str, clicked: Callable[[], None], style: str = "") -> widgets.Button:
    button = widgets.Button(description=text, tooltip=tooltip, button_style=style)
    button.layout.width = "100px"
    button.on_click(lambda _: clicked())
    return button


def _deployment_of(view: View) -> Deployment | None:
    try:
        return view.project.deployment(view.name)
    except NotFound:
        return None
