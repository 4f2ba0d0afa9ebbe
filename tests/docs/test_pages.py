"""The examples of the written pages are run, and give what they say."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import workbench.docs
from workbench.deployment import stop_server

PAGES = ["training", "functions", "ibis", "openmldb", "tables", "ingest"]


@pytest.mark.parametrize("name", PAGES)
def test_examples_of_a_page(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path(workbench.docs.__file__).with_name(f"{name}.md")
    try:
        failed, tried = doctest.testfile(
            str(path), module_relative=False, encoding="utf-8", optionflags=doctest.ELLIPSIS
        )
    finally:
        if (tmp_path / "cards").exists():
            stop_server(tmp_path / "cards")
    assert failed == 0 and tried > 5


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_one_of_the_documentation(name: str) -> None:
    assert name in workbench.docs.pages() and workbench.docs.page(name).startswith("# ")
