"""HTML that carries other people's text safely, and stays readable when tags are taken away."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from tests.notebook.fakes import FakeDeployment
from workbench.errors import Unavailable
from workbench.notebook import html, show
from workbench.notebook.profile import profile
from workbench.plan.lint import Finding

EVIL = """<img src=x onerror="alert('1')">"""


@pytest.mark.parametrize(
    "render",
    [
        html.value,
        html.message,
        html.code,
        lambda text: html.head(text, [text], [text]),
        lambda text: html.table([text], [[text]]),
        lambda text: html.schema({text: text}),
        lambda text: html.folded(text, ""),
        lambda text: html.columns(profile(pa.table({text: [text * 20, None]}), {text: text})),
        lambda text: show.finding(Finding(text, "info", text, text)),
        lambda text: show.deployment(FakeDeployment(view=text, url=text)),
        lambda text: show.Listing([text], [text], lambda item: [item])._repr_html_(),
    ],
)
def test_whatever_is_shown_is_escaped(render: Callable[[str], str]) -> None:
    shown = render(EVIL)
    assert "<img" not in shown and 'onerror="' not in shown
    assert "&lt;img" in shown


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (1234567.891, "1.23457e+06"),
        (0.1 + 0.2, "0.3"),
        (float("nan"), "NaN"),
        (True, "true"),
        (10**12, "1000000000000"),
        (dt.datetime(2026, 1, 2, 3, 4), "2026-01-02 03:04"),
        (dt.datetime(2026, 1, 2, 3, 4, 5, 678900), "2026-01-02 03:04:05.678"),
        (b"\x01\xff", "0x01ff"),
        ("", ""),
    ],
)
def test_values_as_people_read_them(item: Any, text: str) -> None:
    assert html.value(item) == text


def test_long_text_is_cut_and_whole_in_the_tooltip() -> None:
    shown = html.value("x" * 100)
    assert re.sub("<.*?>", "", shown) == "x" * 59 + "…"
    assert f'title="{"x" * 100}"' in shown


def test_a_histogram_leaves_no_text_where_svg_is_removed() -> None:
    assert re.sub("<.*?>", "", html.histogram([1, 0, 1000])) == ""
    assert html.histogram([1, 0, 1000]).count("<rect") == 3
    assert html.histogram([]) == ""


def test_an_endpoint_whose_server_is_gone_says_so() -> None:
    class Gone(FakeDeployment):
        def curl(self) -> str:
            raise Unavailable("no server runs", hint="start it")

    shown = show.deployment(Gone())
    assert "not served" in shown and "start it" in shown


def test_a_listing_is_a_list() -> None:
    listing = show.Listing(["a"], ["name"], lambda item: [item])
    assert listing == ["a"]
    assert "<th>name</th>" in listing._repr_html_()
    assert "none" in show.Listing([], ["name"], lambda item: [item])._repr_html_()
