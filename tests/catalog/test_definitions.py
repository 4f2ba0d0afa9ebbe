"""Named definitions: drafts, versions by hash, any case of names."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.catalog import definitions
from workbench.errors import NotFound


def test_a_name_has_a_draft_and_versions(storage: Any) -> None:
    draft = definitions.save(storage, "label", "churn", "h1", "one")
    assert (draft.version, draft.body) == (0, "one")
    first = definitions.cut(storage, draft)
    assert first.version == 1 and definitions.cut(storage, draft).version == 1
    assert definitions.save(storage, "label", "CHURN", "h1", "one again").version == 1
    second = definitions.save(storage, "label", "churn", "h2", "two")
    assert second.version == 0 and definitions.get(storage, "label", "Churn").body == "two"
    assert definitions.cut(storage, second).version == 2
    assert [one.version for one in definitions.versions(storage, "label", "churn")] == [1, 2]
    assert definitions.get(storage, "label", "churn", 1).hash == "h1"
    found = definitions.find_hash(storage, "label", "churn", "h1")
    assert found is not None and found.version == 1
    assert definitions.find_hash(storage, "label", "churn", "h9") is None


def test_kinds_do_not_share_names(storage: Any) -> None:
    definitions.save(storage, "label", "same", "h", "a label")
    definitions.save(storage, "function", "same", "h", "a function")
    assert definitions.names(storage, "label") == ["same"] == definitions.names(storage, "function")
    definitions.drop(storage, "label", "same")
    assert definitions.find(storage, "label", "same") is None
    assert definitions.get(storage, "function", "same").body == "a function"


def test_what_is_not_there(storage: Any) -> None:
    with pytest.raises(NotFound, match="no label 'churn'") as caught:
        definitions.get(storage, "label", "churn")
    assert caught.value.hint == "no label is defined yet"
    draft = definitions.save(storage, "label", "churn", "h", "")
    with pytest.raises(NotFound) as caught:
        definitions.get(storage, "label", "chrun")
    assert caught.value.hint == "did you mean 'churn'?"
    with pytest.raises(NotFound, match="has no version 1") as caught:
        definitions.get(storage, "label", "churn", 1)
    assert caught.value.hint == "no version was cut yet"
    definitions.drop(storage, "label", "churn")
    with pytest.raises(NotFound, match="any more"):
        definitions.cut(storage, draft)
    with pytest.raises(NotFound):
        definitions.drop(storage, "label", "churn")
