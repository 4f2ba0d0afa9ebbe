"""API keys: shown once, kept hashed, the owner's in a file that only the owner reads."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from workbench.catalog import keys
from workbench.errors import Conflict, NotFound, WorkbenchError
from workbench.storage import Storage


def test_a_key_is_verified_but_not_stored(storage: Storage) -> None:
    key = keys.create(storage, ["write", "read"], "shop")
    known = keys.verify(storage, key)
    assert known is not None and (known.name, known.scopes) == ("shop", {"read", "write"})
    assert keys.verify(storage, key + "x") is None
    assert keys.verify(storage, "") is None
    assert keys.list(storage) == [known]
    everything = b"".join(path.read_bytes() for path in storage.path.iterdir() if path.is_file())
    assert key.encode() not in everything


def test_a_revoked_key_is_worthless(storage: Storage) -> None:
    key = keys.create(storage, ["read"], "shop")
    keys.revoke(storage, "shop")
    assert keys.verify(storage, key) is None
    with pytest.raises(NotFound, match="there is no API key 'shop'"):
        keys.revoke(storage, "shop")


@pytest.mark.parametrize(
    ("scopes", "name", "said"),
    [
        (["raed"], "a", "there is no scope 'raed'"),
        ([], "a", "needs a name and at least one scope"),
        ("read", "a", "needs a name and at least one scope"),
        (["read"], "", "needs a name and at least one scope"),
    ],
)
def test_scopes_and_names_are_checked(storage: Storage, scopes: list[str], name: str, said: str) -> None:
    with pytest.raises(WorkbenchError, match=said):
        keys.create(storage, scopes, name)


def test_names_are_unique(storage: Storage) -> None:
    keys.create(storage, ["read"], "shop")
    with pytest.raises(Conflict, match="there is an API key 'shop' already"):
        keys.create(storage, ["read"], "shop")


def test_the_owners_key_lies_in_a_private_file(storage: Storage) -> None:
    key = keys.owner_key(storage)
    file = storage.path / "api_key"
    assert file.read_text().strip() == key
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    known = keys.verify(storage, key)
    assert known is not None and known.scopes == {"read", "write", "admin"}
    assert keys.owner_key(storage) == key


@pytest.mark.parametrize("content", [None, "", "wb_wrong"])
def test_a_lost_or_wrong_file_gets_a_new_key_and_the_old_one_ends(
    storage: Storage, content: str | None
) -> None:
    old = keys.owner_key(storage)
    file = storage.path / "api_key"
    file.unlink() if content is None else file.write_text(content)
    new = keys.owner_key(storage)
    assert new != old and file.read_text().strip() == new
    assert keys.verify(storage, old) is None
    assert [key.name for key in keys.list(storage)] == ["owner"]


def test_many_at_once_get_the_same_owners_key(storage: Storage) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: keys.owner_key(storage), range(16)))
    assert len(found) == 1
    assert keys.verify(storage, found.pop()) is not None
