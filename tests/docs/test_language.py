"""The reference page says what the code does: it is made again, every example is run, and nothing is left out."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import workbench
from tests.semantics.compare import same
from workbench.cli import app
from workbench.docs import page, pages
from workbench.docs.language import defined, example_project, language
from workbench.errors import NotFound
from workbench.sql import dialect
from workbench.sql.catalogue import TOPICS, example, names
from workbench.sql.clauses import SECTIONS, Clause, keywords

EXAMPLES = [clause for _, clauses in SECTIONS.values() for clause in clauses if clause.example]
#: Words that the parser only looks at to refuse them, or to find where something ends.
NOT_CLAUSES = {"NUMBER"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    project = example_project(str(tmp_path_factory.mktemp("examples")))
    yield project
    project.close()


def test_the_page_is_what_the_code_gives() -> None:
    assert page("language") == language(), "write it anew: python -m workbench.docs"


@pytest.mark.parametrize("clause", EXAMPLES, ids=lambda clause: clause.title)
def test_an_example_of_a_clause_runs_on_both_sides(project: Any, clause: Clause) -> None:
    view = defined(project, clause)
    report = view.check(rows="all")
    assert report.compared and not report.different
    new = {"id": 7, "card": "ann", "at": "2024-01-03T00:00:00Z", "amount": 1, "shop": "food"}
    [offline] = view.offline(spine=[new]).to_pyarrow().to_pylist()
    assert view.request(new) == offline


def test_the_examples_of_functions_give_what_they_say_on_both_sides(tmp_path: Path) -> None:
    functions = [function for _, found in TOPICS.values() for function in found]
    project = workbench.open(tmp_path / "visits")
    project.create_table("visits", example.COLUMNS, time="at")
    project.table("visits").append(example.ROWS)
    columns = ",\n".join(f"{function.example} AS f{n}" for n, function in enumerate(functions))
    view = project.define("all", example.query("1").replace("1 AS result", columns))
    newest = view.offline().to_pyarrow().to_pylist()[-1]
    wrong = {
        function.example: (function.gives, newest[f"f{n}"])
        for n, function in enumerate(functions)
        if not _equal(function.gives, newest[f"f{n}"])
    }
    assert not wrong
    assert view.check(rows="all").different == 0


def _equal(said: Any, got: Any) -> bool:
    """Whether a value is what an entry says, where maps may be said as dicts and whole numbers for others."""
    if isinstance(said, dict) and isinstance(got, list):
        return said == dict(got)
    if isinstance(said, float) and isinstance(got, float):
        return same(said, got)
    return bool(said == got)


def test_every_word_of_the_parser_is_documented() -> None:
    undocumented = parser_words() - keywords() - NOT_CLAUSES
    assert not undocumented, "say it in workbench/sql/clauses.py"


def parser_words() -> set[str]:
    """Words in capitals that the parser of the dialect looks for."""
    words = set()
    for node in ast.walk(ast.parse(inspect.getsource(dialect.FeatureParser))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words |= {node.value} if re.fullmatch(r"[A-Z]+(_[A-Z]+)*", node.value) else set()
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "TokenType"
        ):
            words |= {node.attr} if node.attr.casefold() in _SPELLED else set()
    return words


#: Tokens that are words (others are punctuation).
_SPELLED = {"union", "from", "where", "over", "filter", "between", "and", "on", "join"}


def test_every_function_of_the_catalogue_is_on_the_page() -> None:
    text = page("language")
    assert not [name for name in names() if not re.search(rf"`{re.escape(name)}[(`]", text)]


def test_pages_are_found_by_name() -> None:
    assert "language" in pages()
    with pytest.raises(NotFound, match="did you mean 'language'"):
        page("langauge")


def test_the_command_prints_a_page() -> None:
    printed = CliRunner().invoke(app, ["docs", "language"])
    assert printed.exit_code == 0
    assert printed.stdout == page("language")
    listed = CliRunner().invoke(app, ["docs"])
    assert "language" in listed.stdout.split()
