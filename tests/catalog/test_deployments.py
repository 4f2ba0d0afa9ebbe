"""Deploy, roll back as far as there is anything before, stop; the generation tells servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.catalog.plans import constant, define
from workbench.catalog import deployments, keys, views
from workbench.errors import Conflict, NotFound
from workbench.storage import Storage


@pytest.fixture(autouse=True)
def three_versions(storage: Storage) -> None:
    for number in (1, 2, 3):
        define(storage, "risk", constant(number))
        views.cut(storage, views.get(storage, "risk"))


def serving(storage: Storage) -> tuple[int, int | None]:
    (deployed,) = deployments.current(storage)
    return deployed.version, deployed.previous_version


def test_deploy_replaces_and_remembers(storage: Storage) -> None:
    first = deployments.deploy(storage, "Risk", 1)
    assert (first.view, first.version, first.previous_version) == ("risk", 1, None)
    assert first.plan_json == constant(1).to_json()
    assert first.deployed_at.endswith("Z")
    deployments.deploy(storage, "risk", 2)
    assert serving(storage) == (2, 1)


def test_rollback_goes_back_step_by_step(storage: Storage) -> None:
    for version in (1, 2, 3):
        deployments.deploy(storage, "risk", version)
    assert deployments.rollback(storage, "risk").version == 2
    assert serving(storage) == (2, 1)
    assert deployments.rollback(storage, "risk").version == 1
    with pytest.raises(Conflict, match="version 1 of view 'risk' is the first that was deployed"):
        deployments.rollback(storage, "risk")
    deployments.deploy(storage, "risk", 3)
    assert serving(storage) == (3, 1)


def test_stop_ends_the_chain(storage: Storage) -> None:
    for version in (1, 2):
        deployments.deploy(storage, "risk", version)
    deployments.stop(storage, "risk")
    assert deployments.current(storage) == []
    deployments.deploy(storage, "risk", 3)
    assert serving(storage) == (3, None)


def test_the_generation_moves_with_every_change_and_only_then(storage: Storage) -> None:
    changes: list[Callable[[], Any]] = [
        lambda: deployments.deploy(storage, "risk", 1),
        lambda: deployments.deploy(storage, "risk", 2),
        lambda: deployments.rollback(storage, "risk"),
        lambda: keys.create(storage, ["read"], "shop"),
        lambda: keys.revoke(storage, "shop"),
        lambda: deployments.stop(storage, "risk"),
        lambda: views.drop(storage, "risk"),
    ]
    seen = [deployments.generation(storage)]
    for change in changes:
        change()
        seen.append(deployments.generation(storage))
    assert seen == sorted(set(seen))


def test_what_changes_nothing_does_not_move_the_generation(storage: Storage) -> None:
    deployments.deploy(storage, "risk", 1)
    before = deployments.generation(storage), deployments.current(storage)
    deployments.deploy(storage, "risk", 1)
    define(storage, "risk", constant(9))
    views.cut(storage, views.get(storage, "risk"))
    assert (deployments.generation(storage), deployments.current(storage)) == before


def test_another_process_sees_it(storage: Storage, tmp_path: Path) -> None:
    other = Storage.open(tmp_path / "project")
    counter = other.change_counter()
    deployments.deploy(storage, "risk", 1)
    assert other.change_counter() != counter
    assert serving(other) == (1, None)


def test_what_is_missing(storage: Storage) -> None:
    with pytest.raises(NotFound, match="view 'risk' has no version 7"):
        deployments.deploy(storage, "risk", 7)
    with pytest.raises(NotFound, match="there is no view 'other'"):
        deployments.deploy(storage, "other", 1)
    for change in (deployments.rollback, deployments.stop):
        with pytest.raises(NotFound, match="view 'risk' is not deployed") as caught:
            change(storage, "risk")
        assert caught.value.hint == "deploy it first"
    deployments.deploy(storage, "risk", 1)
    with pytest.raises(NotFound) as caught:
        deployments.stop(storage, "rsk")
    assert caught.value.hint == "did you mean 'risk'?"
