"""In JupyterLab, as a person does it: run a cell, click Check and Deploy, restart the kernel."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ARTIFACTS
from tests.e2e.lab import Lab
from workbench.deployment import find_server, stop_server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROJECT = """%load_ext workbench
import datetime as dt

import workbench as wb

project = wb.open("shop")
start = dt.datetime(2026, 1, 1)
rows = [
    {"card": i % 7, "amount": 1.5 * i, "shop": None if i % 3 else "north", "ts": start + dt.timedelta(hours=i)}
    for i in range(500)
]
columns = {"card": "BIGINT", "amount": "DOUBLE", "shop": "VARCHAR", "ts": "TIMESTAMP"}
project.create_table("payments", columns, time="ts", if_exists="skip").append(rows, token="first")
%workbench open shop"""
FEATURE = """%%feature spend
SELECT card, shop, amount,
  sum(amount) OVER w AS spent_7d,
  count(*) OVER w AS payments_7d
FROM payments
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW)"""
MISTAKE = FEATURE.replace("sum(amount)", "sum(amuont)")
BUSY = "1 + 1"


@pytest.fixture
def shop(lab: Lab) -> Iterator[Path]:
    """The folder of the notebook's project; its server is stopped at the end."""
    folder = lab.root / "shop"
    yield folder
    if folder.exists():
        stop_server(folder)


def button(page: Any, name: str) -> Any:
    return page.get_by_role("button", name=name, exact=True)


def ask(folder: Path, row: dict[str, Any]) -> dict[str, Any]:
    server = find_server(folder)
    assert server is not None
    headers = {"X-API-Key": (folder / "api_key").read_text().strip(), "Content-Type": "application/json"}
    url = f"http://{server.host}:{server.port}/v1/features/spend"
    request = urllib.request.Request(url, json.dumps(row).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())["features"]


def test_from_cell_to_endpoint(lab: Lab, page: Any, shop: Path) -> None:
    lab.write_notebook("shop.ipynb", [PROJECT, FEATURE, MISTAKE, BUSY])
    lab.open_notebook(page, "shop.ipynb")
    lab.run_cell(page, 0)

    lab.run_cell(page, 1)
    button(page, "Check").wait_for()
    page.get_by_text("one row per row of payments").wait_for()
    assert page.locator(".wb svg").count() >= 3
    page.screenshot(path=ARTIFACTS / "panel.png")

    button(page, "Check").click()
    page.get_by_text("compared, all equal").wait_for()
    button(page, "Deploy").click()
    page.get_by_text("● live").wait_for()
    lab.run_cell(page, 3)  # the kernel is free
    page.screenshot(path=ARTIFACTS / "panel-deployed.png")
    assert page.get_by_text("$WORKBENCH_API_KEY").first.is_visible()

    row = {"card": 3, "amount": 10.0, "shop": None, "ts": "2026-02-01T00:00:00Z"}
    before = ask(shop, row)
    assert before["payments_7d"] == 1
    lab.restart_kernel()
    assert ask(shop, row) == before

    lab.run_cell(page, 0)
    lab.run_cell(page, 2)
    page.get_by_text("did you mean 'amount'").wait_for()
    page.get_by_text("did you mean 'amount'").scroll_into_view_if_needed()
    assert page.get_by_text("Traceback").count() == 0
    page.screenshot(path=ARTIFACTS / "error.png")


def test_a_stored_panel_reads_without_a_kernel(lab: Lab, page: Any, shop: Path) -> None:
    lab.write_notebook("stored.ipynb", [PROJECT, FEATURE])
    lab.open_notebook(page, "stored.ipynb")
    lab.run_cell(page, 0)
    lab.run_cell(page, 1)
    button(page, "Check").click()
    page.get_by_text("compared, all equal").wait_for()
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    for session in lab.api("sessions"):
        lab.api(f"sessions/{session['id']}", "DELETE")
    lab.open_notebook(page, "stored.ipynb")
    page.get_by_text("one row per row of payments").wait_for()
    page.get_by_text("compared, all equal").wait_for()
    assert button(page, "Check").count() == 0
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    page.wait_for_function("() => document.body.dataset.jpThemeLight === 'false'")
    page.locator("#jupyterlab-splash").wait_for(state="detached")
    page.screenshot(path=ARTIFACTS / "stored-dark.png")
