"""The notebooks run from top to bottom, and are stored without outputs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from workbench.deployment import stop_server

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
SECONDS = 180


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where a notebook runs; whatever server it leaves behind is stopped."""
    yield tmp_path
    for database in tmp_path.glob("*/workbench.db"):
        stop_server(database.parent)


def shown(notebook: Any, cell_id: str) -> str:
    """Everything a cell put out, as text."""
    [cell] = [cell for cell in notebook.cells if cell.id == cell_id]
    return "\n".join(
        output.get("text") or "\n".join(str(content) for content in output.get("data", {}).values())
        for output in cell.outputs
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        assert not cell.get("outputs"), f"cell {cell.id} has outputs"
        assert cell.get("execution_count") is None


@pytest.mark.slow
def test_first_feature(folder: Path) -> None:
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    begun = time.monotonic()
    env = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")}
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}).execute(env=env)
    assert time.monotonic() - begun < SECONDS
    assert "FloatProgress" not in shown(notebook, "features-offline")  # DuckDB's own
    panel = shown(notebook, "feature")
    assert "application/vnd.jupyter.widget-view+json" in {
        kind
        for cell in notebook.cells
        if cell.id == "feature"
        for output in cell.outputs
        for kind in output.data
    }
    assert "tail_delay_3" in panel and "<svg" in panel
    assert "$WORKBENCH_API_KEY" in shown(notebook, "deploy")
    assert "'tail_delay': (" in shown(notebook, "append")
