"""What is kept of a Python function, and what is refused with the reason."""

from __future__ import annotations

import datetime as dt
import json
import math
import subprocess
import sys
import textwrap
from collections import Counter
from os.path import basename as base
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.errors import DefinitionError
from workbench.functions import PythonFunction, capture, load

LIMIT = 2.5
NAMES = {"a": 1, "b": [2, 3]}
HANDLE = object()


def clip(x: float) -> float:  # a comment
    """Doc."""
    return min(x, LIMIT)


def test_the_text_and_what_it_needs() -> None:
    def uses(x: float, word: str) -> list[float]:
        def inner(value: float) -> float:
            return math.floor(value) + len(base(word))

        return [inner(x), float(np.abs(x)), NAMES["a"], float(Counter(word)["a"])]

    made = capture(uses)
    assert (made.name, made.args, made.returns) == ("uses", ("DOUBLE", "VARCHAR"), "DOUBLE[]")
    assert made.source.startswith("def uses(x: float, word: str)")
    assert {one.name: (one.module, one.attribute) for one in made.imports} == {
        "math": ("math", None), "np": ("numpy", None), "base": ("posixpath", "basename"),
        "Counter": ("collections", "Counter"),
    }  # fmt: skip
    assert dict(made.constants) == {"NAMES": repr(NAMES)}
    again = PythonFunction.from_json(made.to_json())
    assert load(again)(-1.5, "/x/banana") == [4, 1.5, 1, 3.0]


def test_comments_and_layout_make_no_version() -> None:
    def one(x: int) -> int:
        # says something
        return x + 1  # and more

    def other(x: int) -> int:
        return (x
                + 1)  # fmt: skip

    named = [capture(function, name="f") for function in (one, other)]
    renamed = [f.source.replace("one", "f").replace("other", "f") for f in named]
    made = [PythonFunction("f", text, f.args, f.returns) for text, f in zip(renamed, named, strict=True)]
    assert made[0].hash == made[1].hash
    assert capture(clip).hash != capture(clip, null="call").hash != capture(clip, returns="FLOAT").hash


def test_a_constant_is_part_of_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = capture(clip)
    monkeypatch.setattr(sys.modules[__name__], "LIMIT", 3.5)
    assert capture(clip).hash != before.hash
    assert (load(before)(9.0), load(capture(clip))(9.0)) == (2.5, 3.5)


def test_types_come_from_annotations_or_are_said() -> None:
    def every(
        a: int, b: str | None, c: bool, d: dt.datetime, e: dt.date, f: list[int], g: bytes
    ) -> float | None: ...

    assert capture(every).args == ("BIGINT", "VARCHAR", "BOOLEAN", "TIMESTAMP", "DATE", "BIGINT[]", "BLOB")
    assert capture(every).returns == "DOUBLE"

    def total(values: list[float]) -> float:
        return sum(values)

    assert capture(total, aggregate=True).args == ("DOUBLE",)

    def plain(x, y):  # type: ignore[no-untyped-def]
        return x

    assert capture(plain, args=["int", "decimal(9, 2)"], returns="text").args == ("INTEGER", "DECIMAL(9,2)")


def test_a_function_may_call_itself_and_have_decorators() -> None:
    def decorator(function: Any) -> Any:
        return function

    @decorator
    def factorial(n: int) -> int:
        return 1 if n < 2 else n * factorial(n - 1)

    assert capture(factorial).source.startswith("def factorial")
    assert load(capture(factorial))(5) == 120


def refused(message: str, function: Any, **arguments: Any) -> None:
    with pytest.raises(DefinitionError, match=message) as caught:
        capture(function, **arguments)
    assert caught.value.hint or "generator" in message


def test_what_a_server_does_not_have_is_refused() -> None:
    local = object()

    def handle(x: float) -> float:
        return x + id(HANDLE)

    def closure(x: float) -> float:
        return x + id(local)

    def nested(x: float) -> float:
        return sum(y for y in [x] if (lambda: local)())

    def missing(x: float) -> float:
        return nowhere(x)  # type: ignore[name-defined]  # noqa: F821

    def state(x: float) -> float:
        global LIMIT
        LIMIT = x
        return x

    refused("uses 'HANDLE', a object of the notebook", handle)
    refused("uses 'local', a object of the function around it", closure)
    refused("uses 'local', a object of the function around it", nested)
    refused("uses 'nowhere', which is not defined", missing)
    refused("changes the global 'LIMIT'", state)


def test_functions_without_types_text_or_fixed_parameters_are_refused() -> None:
    def untyped(x):  # type: ignore[no-untyped-def]
        return x

    def many(*x: float) -> float:
        return x[0]

    def named(*, x: float) -> float:
        return x

    def nothing() -> float:
        return 1.0

    def generator(x: float) -> Any:
        yield x

    def lists(x: float) -> float:
        return x

    refused("the type of the parameter 'x' of untyped", untyped)
    refused("the type of its value of untyped", untyped, args=["DOUBLE"])
    refused("1 parameters and args has 2", untyped, args=["DOUBLE", "DOUBLE"], returns="DOUBLE")
    refused("nonsense", untyped, args=["nonsense"], returns="DOUBLE")
    refused("fixed number of arguments", many)
    refused("fixed number of arguments", named)
    refused("no parameter", nothing)
    refused("generator", generator)
    refused("a list of the window's values", lists, aggregate=True)
    refused("lambda", lambda x: x)
    refused("is not a function", len)
    space: dict[str, Any] = {}
    exec("def made(x: float) -> float:\n    return x", space)
    refused("text of made\\(\\) is not known", space["made"])
    with pytest.raises(DefinitionError, match="null is"):
        capture(clip, null="maybe")  # type: ignore[arg-type]


def test_a_module_that_only_this_process_finds_is_refused(tmp_path: Path) -> None:
    (tmp_path / "beside_the_notebook.py").write_text("def helper(x):\n    return x\n")
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        import beside_the_notebook
        from workbench.functions import capture
        def f(x: float) -> float:
            return beside_the_notebook.helper(x)
        try:
            capture(f)
        except Exception as error:
            print(error)
        """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(root)}, cwd=root,
    )  # fmt: skip
    assert "uses the module 'beside_the_notebook', which a server cannot import" in done.stdout


def test_what_is_kept_is_text(tmp_path: Path) -> None:
    kept = json.loads(capture(clip).to_json())
    assert kept["constants"] == [["LIMIT", "2.5"]] and "return min(x, LIMIT)" in kept["source"]
