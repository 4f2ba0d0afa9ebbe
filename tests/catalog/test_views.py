"""A view's versions are told apart by their plans."""

from __future__ import annotations

import pytest

from tests.catalog.plans import constant, define
from workbench.catalog import deployments, views
from workbench.catalog.tables import create_table
from workbench.errors import Conflict, NotFound, WorkbenchError
from workbench.storage import Storage


def test_a_draft_is_overwritten_until_a_version_is_cut(storage: Storage) -> None:
    define(storage, "risk", constant(1), "SELECT 1")
    draft = define(storage, "risk", constant(2), "SELECT 2")
    assert (draft.version, draft.state, draft.sql) == (0, "draft", "SELECT 2")
    assert views.versions(storage, "risk") == []
    version = views.cut(storage, views.get(storage, "risk"))
    assert (version.version, version.state, version.sql) == (1, "version", "SELECT 2")
    assert views.get(storage, "risk") == version == views.get(storage, "RISK", 1)


def test_the_same_plan_is_the_same_version(storage: Storage) -> None:
    define(storage, "risk", constant(1))
    first = views.cut(storage, views.get(storage, "risk"))
    assert views.cut(storage, views.get(storage, "risk")) == first
    assert define(storage, "risk", constant(1), "SELECT 1 -- a comment") == first
    define(storage, "risk", constant(2))
    assert views.cut(storage, views.get(storage, "risk")).version == 2
    assert define(storage, "risk", constant(1)) == first, (
        "an older version, defined again, is the latest definition"
    )
    assert views.get(storage, "risk") == first
    assert views.cut(storage, views.get(storage, "risk")) == first
    assert [item.version for item in views.versions(storage, "risk")] == [1, 2]


def test_names_keep_their_spelling_and_ignore_case(storage: Storage) -> None:
    define(storage, "Risk", constant(1))
    define(storage, "RISK", constant(2))
    assert [item.view for item in views.list(storage)] == ["Risk"]
    assert views.get(storage, "risk").plan_hash == constant(2).hash


def test_names_are_identifiers_and_not_those_of_tables(storage: Storage) -> None:
    with pytest.raises(WorkbenchError, match="'a b' cannot be the name of a view"):
        define(storage, "a b", constant())
    create_table(storage, "tx", {"a": "BIGINT"})
    with pytest.raises(Conflict, match="'tx' is a table already"):
        define(storage, "TX", constant())


def test_list_gives_the_latest_definition_of_each(storage: Storage) -> None:
    for name in ("b", "a"):
        define(storage, name, constant(1))
    views.cut(storage, views.get(storage, "a"))
    assert [(item.view, item.version) for item in views.list(storage)] == [("a", 1), ("b", 0)]


def test_what_is_missing(storage: Storage) -> None:
    with pytest.raises(NotFound, match="there is no view 'risk'") as caught:
        views.get(storage, "risk")
    assert caught.value.hint == "no view is defined yet"
    define(storage, "card_risk", constant())
    with pytest.raises(NotFound) as caught:
        views.cut(storage, views.get(storage, "card_rsk"))
    assert caught.value.hint == "did you mean 'card_risk'?"
    with pytest.raises(NotFound, match="has no version 1") as caught:
        views.get(storage, "card_risk", 1)
    assert "no version was cut yet" in str(caught.value.hint)
    views.cut(storage, views.get(storage, "card_risk"))
    for version in (0, 2, -1):
        with pytest.raises(NotFound) as caught:
            views.get(storage, "card_risk", version)
        assert caught.value.hint == "its versions are 1"


def test_a_deployed_view_cannot_be_dropped(storage: Storage) -> None:
    define(storage, "risk", constant())
    deployments.deploy(storage, "risk", views.cut(storage, views.get(storage, "risk")).version)
    assert views.get(storage, "risk").state == "deployed"
    with pytest.raises(Conflict, match="view 'risk' is deployed") as caught:
        views.drop(storage, "risk")
    assert caught.value.hint == "stop its deployment first"
    deployments.stop(storage, "risk")
    views.drop(storage, "risk")
    assert views.list(storage) == []
    define(storage, "risk", constant(5))
    assert views.cut(storage, views.get(storage, "risk")).version == 1
