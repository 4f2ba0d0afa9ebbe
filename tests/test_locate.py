"""Which project is meant, said in four ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.errors import Conflict, NotFound, WorkbenchError
from workbench.locate import existing_project_path, project_path, read_marker, write_marker


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WORKBENCH_PROJECT", raising=False)
    monkeypatch.chdir(tmp_path)


def test_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match=r"workbench\.toml"):
        project_path()
    (tmp_path / "a" / "b").mkdir(parents=True)
    write_marker(Path("from_toml"))
    assert project_path(start=tmp_path / "a" / "b") == tmp_path / "from_toml"
    monkeypatch.setenv("WORKBENCH_PROJECT", "from_variable")
    assert project_path() == tmp_path / "from_variable"
    assert project_path("said") == tmp_path / "said"


def test_the_nearest_toml_wins(tmp_path: Path) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    write_marker(tmp_path / "outer")
    write_marker(inner / "own", inner)
    assert project_path(start=inner) == inner / "own"
    assert project_path(start=tmp_path) == tmp_path / "outer"


@pytest.mark.parametrize("name", ["flights", "with space", 'quo"te', "back\\slash", "ümläut", "."])
def test_a_marker_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    assert read_marker(write_marker(tmp_path / name)) == tmp_path / name


def test_a_project_elsewhere_is_named_absolutely(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    marker = write_marker(elsewhere)
    assert read_marker(marker) == elsewhere
    assert str(elsewhere) in marker.read_text()


def test_writing_again_is_fine_and_another_project_is_refused(tmp_path: Path) -> None:
    marker = write_marker(Path("flights"))
    before = marker.read_text()
    assert write_marker(Path("flights")).read_text() == before
    with pytest.raises(Conflict, match="another project"):
        write_marker(Path("other"))
    assert marker.read_text() == before


@pytest.mark.parametrize(
    ("text", "said"), [("project = ", "not valid TOML"), ("project = 3", "must be a string")]
)
def test_a_broken_marker_says_which_file(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "workbench.toml").write_text(text)
    with pytest.raises(WorkbenchError, match=said) as error:
        project_path()
    assert str(tmp_path / "workbench.toml") in str(error.value)


def test_a_typing_error_names_the_project_nearby(tmp_path: Path) -> None:
    (tmp_path / "flights").mkdir()
    (tmp_path / "flights" / "workbench.db").touch()
    assert existing_project_path("flights") == tmp_path / "flights"
    with pytest.raises(NotFound, match=r"did you mean .*flights"):
        existing_project_path("fligths")
