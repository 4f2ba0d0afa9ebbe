"""The magics: which project, what a cell binds, what an error looks like."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from IPython.utils.capture import capture_output

import workbench as wb

SPEND = """SELECT card, amount, sum(amount) OVER w AS total
FROM payments
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
"""


@pytest.fixture
def project(tmp_path: Path) -> wb.Project:
    """A project with one table of six payments."""
    opened = wb.open(tmp_path / "shop")
    rows = [{"card": i % 2, "amount": float(i), "ts": f"2026-01-0{i + 1}T12:00:00"} for i in range(6)]
    columns = {"card": "BIGINT", "amount": "DOUBLE", "ts": "TIMESTAMP"}
    opened.create_table("payments", columns, time="ts").append(rows)
    return opened


@pytest.fixture
def opened(ip: Any, project: wb.Project) -> Any:
    """The shell, with the project opened by ``%workbench open``."""
    ip.run_line_magic("workbench", f"open {project.path}")
    return ip


def run(ip: Any, code: str) -> tuple[Any, str]:
    """Run a cell as a user would; return its result and all that was printed."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        result = ip.run_cell(code)
    return result, printed.getvalue()


def feature(ip: Any, line: str, sql: str = SPEND) -> Any:
    return ip.run_cell_magic("feature", line, sql)


def displayed(ip: Any, obj: Any) -> list[dict[str, Any]]:
    """What the display of an object puts out by itself, output by output."""
    with capture_output() as captured:
        ip.display_formatter.format(obj)
    return [output.data for output in captured.outputs]


def test_parameters_stand_in_the_line(opened: Any) -> None:
    view = feature(
        opened,
        "spend --param more=3 --param kind=food",
        "SELECT amount + :more AS a, :kind AS k FROM payments",
    )
    assert [(name, value.sql) for name, value in view.plan.params] == [("kind", "'food'"), ("more", "3")]


def test_the_cell_binds_its_name_and_returns_the_view(opened: Any) -> None:
    view = feature(opened, "spend")
    assert view is opened.user_ns["spend"]
    assert list(view.schema) == ["card", "amount", "total"]
    assert view.version is None


def test_out_names_another_variable(opened: Any) -> None:
    view = feature(opened, "spend -o again")
    assert opened.user_ns.pop("again") is view
    assert "spend" not in opened.user_ns


def test_a_cell_can_run_again_and_replaces_the_draft(opened: Any, project: wb.Project) -> None:
    feature(opened, "spend")
    feature(opened, "spend", SPEND.replace("AS total", "AS spent"))
    assert list(project.view("spend").schema) == ["card", "amount", "spent"]
    assert project.list_views() == ["spend"]


def test_save_cuts_a_version(opened: Any, project: wb.Project) -> None:
    feature(opened, "spend --save")
    assert project.view("spend").version == 1


@pytest.mark.usefixtures("in_notebook")
def test_the_display_of_a_view_is_the_panel(opened: Any) -> None:
    view = feature(opened, "spend --preview 2")
    summary, buttons, *_ = displayed(opened, view)
    assert "preview: 2 rows" in summary["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in buttons


def test_a_terminal_shows_text(opened: Any, capsys: pytest.CaptureFixture[str]) -> None:
    feature(opened, "spend")
    opened.run_cell("spend")
    assert capsys.readouterr().out.strip().endswith("<View spend (draft): 3 features of payments>")


@pytest.mark.usefixtures("in_notebook")
def test_preview_0_shows_the_schema_alone(opened: Any) -> None:
    summary, *_ = displayed(opened, feature(opened, "spend --preview 0"))
    assert "preview:" not in summary["text/html"] and "DOUBLE" in summary["text/html"]


@pytest.mark.usefixtures("in_notebook")
def test_unload_takes_the_panel_and_the_magics_back(opened: Any) -> None:
    view = feature(opened, "spend")
    opened.run_line_magic("unload_ext", "workbench")
    assert displayed(opened, view) == []
    assert opened.find_cell_magic("feature") is None
    opened.run_line_magic("load_ext", "workbench")


def test_feature_documents_itself(ip: Any) -> None:
    _, printed = run(ip, "%%feature?")
    shown = printed or ip.inspector.info(ip.find_cell_magic("feature"))["docstring"]
    for expected in ("--dialect", "--preview", "--save", "--project", "-o", "Running the cell again"):
        assert expected in shown


class TestErrors:
    """What a user sees: our lines with the caret, never a stack."""

    def test_a_query_error_shows_the_line_and_a_caret(self, opened: Any) -> None:
        result, printed = run(opened, f"%%feature spend\n{SPEND.replace('sum(amount)', 'sum(amont)')}")
        assert isinstance(result.error_in_exec, wb.WorkbenchError)
        assert "sum(amont)" in printed and "^" in printed and "did you mean 'amount'" in printed
        assert "Traceback" not in printed and "magics.py" not in printed

    def test_a_foreign_error_is_one_line(self, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*args: Any, **kwargs: Any) -> None:
            raise IndexError("list index out of range")

        monkeypatch.setattr(wb.Project, "define", broken)
        _, printed = run(opened, f"%%feature spend\n{SPEND}")
        assert printed.splitlines()[0] == "IndexError: list index out of range"
        assert "Traceback" not in printed

    @pytest.mark.parametrize(
        ("cell", "message"),
        [
            ("%%feature\nSELECT 1", "the following arguments are required: name"),
            ("%%feature spend --previw 3\nSELECT 1", "unrecognized arguments: --previw 3"),
            ("%%feature spend\n  \n", "write the query of spend"),
            ("%%feature two-words\nSELECT 1", "-o VAR"),
            ("%%feature class\nSELECT 1", "-o VAR"),
            ("%workbench strat", "invalid choice"),
            ("%workbench check", "needs a view"),
            ("%workbench show nothing", "nothing"),
        ],
    )
    def test_usage(self, opened: Any, cell: str, message: str) -> None:
        _, printed = run(opened, cell)
        assert message in printed
        assert "Traceback" not in printed


class TestProject:
    """--project, else %workbench open, else $WORKBENCH_PROJECT, else the nearest workbench.toml."""

    @pytest.fixture(autouse=True)
    def _nowhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        (tmp_path / "deep" / "down").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / "deep" / "down")
        monkeypatch.delenv("WORKBENCH_PROJECT", raising=False)
        return

    def test_none_at_all(self, ip: Any) -> None:
        _, printed = run(ip, f"%%feature spend\n{SPEND}")
        assert "workbench.toml" in printed and "WORKBENCH_PROJECT" in printed

    def test_nearest_toml(self, ip: Any, project: wb.Project, tmp_path: Path) -> None:
        (tmp_path / "workbench.toml").write_text('project = "shop"\n')
        assert feature(ip, "spend").anchor == "payments"

    def test_environment_wins_over_toml(
        self, ip: Any, project: wb.Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "workbench.toml").write_text('project = "elsewhere"\n')
        monkeypatch.setenv("WORKBENCH_PROJECT", str(project.path))
        assert feature(ip, "spend").anchor == "payments"

    def test_opened_wins_over_environment(
        self, ip: Any, project: wb.Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORKBENCH_PROJECT", "elsewhere")
        ip.run_line_magic("workbench", f"open {project.path}")
        assert feature(ip, "spend").anchor == "payments"

    def test_said_wins_over_opened(self, ip: Any, project: wb.Project, tmp_path: Path) -> None:
        ip.run_line_magic("workbench", f"open {tmp_path / 'empty'}")
        assert feature(ip, f"spend --project {project.path}").anchor == "payments"

    def test_a_project_that_is_not_there_is_not_created(
        self, ip: Any, tmp_path: Path, project: wb.Project
    ) -> None:
        _, printed = run(ip, f"%%feature spend --project {tmp_path / 'shpo'}\n{SPEND}")
        assert "no project in" in printed and "shop" in printed
        assert not (tmp_path / "shpo").exists()


class TestCommands:
    """%workbench returns what the Python call returns."""

    def test_tables_views_and_show(self, opened: Any) -> None:
        feature(opened, "spend")
        tables, views = (
            opened.run_line_magic("workbench", "tables"),
            opened.run_line_magic("workbench", "views"),
        )
        assert (tables, views) == (["payments"], ["spend"])
        assert (
            "TIMESTAMP" not in tables._repr_html_() and '<td class="wb-number">6</td>' in tables._repr_html_()
        )
        assert "draft" in views._repr_html_()
        assert opened.run_line_magic("workbench", "show spend").anchor == "payments"
        assert opened.run_line_magic("workbench", "show payments").count() == 6

    def test_check(self, opened: Any) -> None:
        feature(opened, "spend")
        report = opened.run_line_magic("workbench", "check spend")
        assert report.compared > 0 and report.different == 0

    @pytest.mark.usefixtures("in_notebook")
    def test_progress_shows_and_vanishes(self, opened: Any) -> None:
        feature(opened, "spend")
        with capture_output() as captured:
            opened.run_line_magic("workbench", "check spend")
        lines = [output.data["text/html"] for output in captured.outputs]
        assert any("<progress" in line and "100%" in line for line in lines)
        assert lines[-1] == ""

    def test_deploy_ps_and_stop(self, opened: Any) -> None:
        feature(opened, "spend")
        deployment = opened.run_line_magic("workbench", "deploy spend")
        try:
            assert deployment.request({"card": 1, "amount": 1.0})["total"] == 9.0
            assert deployment.previous_version is None
            feature(opened, "spend", SPEND.replace("AS total", "AS spent"))
            assert opened.run_line_magic("workbench", "deploy spend").previous_version == 1
            assert [live.view for live in opened.run_line_magic("workbench", "ps")] == ["spend"]
            opened.run_line_magic("workbench", "stop spend")
            assert list(opened.run_line_magic("workbench", "ps")) == []
        finally:
            opened.run_line_magic("workbench", "stop")


NEXT = "SELECT card, lead(amount) OVER w AS next FROM payments WINDOW w AS (PARTITION BY card ORDER BY ts)"


def test_a_label_cell_binds_a_label(opened: Any) -> None:
    label = opened.run_cell_magic("label", "next_amount", NEXT)
    assert label is opened.user_ns["next_amount"] and label.version is None and label.sql == NEXT
    assert opened.run_cell_magic("label", "next_amount -o y --save", NEXT) is opened.user_ns["y"]
    assert opened.user_ns["y"].version == 1
    assert opened.run_line_magic("workbench", "labels") == ["next_amount"]
    assert opened.run_line_magic("workbench", "show next_amount").name == "next_amount"
    page = label._repr_html_()
    assert "4 rows are labelled; of 2 the horizon has not passed" in page


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("next", " ", "write the query of next in the lines below %%label"),
        ("a-b", NEXT, "%%label NAME -o VAR"),
        ("next", "SELECT lead(amount", "expected"),
    ],
)
def test_a_wrong_label_cell_is_one_message(opened: Any, line: str, cell: str, message: str) -> None:
    _, printed = run(opened, f"%%label {line}\n{cell}")
    assert message in printed and "Traceback" not in printed
