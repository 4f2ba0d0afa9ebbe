"""A browser and a JupyterLab for the tests of this folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab import Lab, running_lab

ARTIFACTS = Path(__file__).parents[1] / "artifacts"


def chromium() -> str | None:
    """Return where Chromium is installed."""
    said = os.environ.get("CHROMIUM")
    return (
        said or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; closed before other tests, since Playwright keeps an event loop running in this thread."""
    executable = chromium()
    if not executable:
        pytest.skip("Chromium is not installed (apt-get install chromium, or name it in $CHROMIUM)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=executable, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running JupyterLab."""
    with running_lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A browser page; a screenshot of its end is kept as an artifact."""
    opened = browser.new_page(viewport={"width": 1300, "height": 1100})
    opened.set_default_timeout(60_000)
    yield opened
    ARTIFACTS.mkdir(exist_ok=True)
    opened.screenshot(path=ARTIFACTS / f"{request.node.name}-end.png")
    opened.close()
