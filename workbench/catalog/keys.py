"""API keys: who may ask the server.

A key is 32 random bytes as text; the catalog keeps only its SHA-256. The owner's key has every scope and lies in the
file ``api_key`` of the project, readable by its owner alone.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.catalog.schema import bump, now, prepare
from workbench.errors import Conflict, NotFound, StorageError, WorkbenchError, did_you_mean

if TYPE_CHECKING:
    from workbench.storage import Storage

SCOPES = ("read", "write", "admin")
OWNER = "owner"
OWNER_FILE = "api_key"
_PREFIX = "wb_"


@dataclass(frozen=True)
class KeyInfo:
    """An API key as the catalog knows it: without the key. ``created_at`` is ISO-8601 in UTC."""

    name: str
    scopes: frozenset[str]
    created_at: str


def create(storage: Storage, scopes: Collection[str], name: str) -> str:
    """Make a new key and return it; it cannot be read again.

    Parameters
    ----------
    scopes
        What it may do: ``read`` (features), ``write`` (append rows), ``admin`` (rollback and the like).
    name
        By which it is listed and revoked.

    Raises
    ------
    WorkbenchError
        A scope is unknown, or none was given.
    Conflict
        A key of that name exists.
    """
    prepare(storage)
    _check(scopes, name)
    key = _PREFIX + secrets.token_urlsafe(32)
    try:
        with storage.transaction() as transaction:
            _insert(transaction, name, key, scopes)
    except sqlite3.IntegrityError:
        hint = "choose another name, or revoke that key first"
        raise Conflict(f"there is an API key {name!r} already", hint=hint) from None
    return key


def verify(storage: Storage, key: str) -> KeyInfo | None:
    """Return what a key may do, or None when it is not one of this project's."""
    prepare(storage)
    rows = storage.query("SELECT name, scopes, created_at FROM api_keys WHERE digest = ?", (_digest(key),))
    return _info(rows[0]) if rows else None


def list(storage: Storage) -> Sequence[KeyInfo]:
    """Return the keys of the project, oldest first."""
    prepare(storage)
    return [_info(row) for row in storage.query("SELECT name, scopes, created_at FROM api_keys ORDER BY id")]


def revoke(storage: Storage, name: str) -> None:
    """Make a key worthless at once.

    Raises
    ------
    NotFound
        There is no key of that name.
    """
    prepare(storage)
    with storage.transaction() as transaction:
        if not transaction.execute("DELETE FROM api_keys WHERE name = ?", (name,)).rowcount:
            names = [row["name"] for row in transaction.execute("SELECT name FROM api_keys")]
            raise NotFound(f"there is no API key {name!r}", hint=did_you_mean(name, names))
        bump(transaction)


def owner_key(storage: Storage) -> str:
    """Return the owner's key, making it (and its file, mode 0600) when the file is missing or its key is not valid.

    Raises
    ------
    StorageError
        The file cannot be read or written.
    """
    prepare(storage)
    path = Path(storage.path) / OWNER_FILE
    with storage.transaction() as transaction:  # so that two processes do not make two keys
        key = _read(path)
        row = transaction.execute(
            "SELECT name FROM api_keys WHERE digest = ?", (_digest(key or ""),)
        ).fetchone()
        if key and row:
            return key
        key = _PREFIX + secrets.token_urlsafe(32)
        _write(path, key)
        transaction.execute("DELETE FROM api_keys WHERE name = ?", (OWNER,))
        _insert(transaction, OWNER, key, SCOPES)
    return key


def _check(scopes: Collection[str], name: str) -> None:
    if isinstance(scopes, str) or not scopes or not name:
        raise WorkbenchError(
            "an API key needs a name and at least one scope", hint=f"scopes: {', '.join(SCOPES)}"
        )
    for scope in scopes:
        if scope not in SCOPES:
            hint = did_you_mean(scope, SCOPES) or f"scopes: {', '.join(SCOPES)}"
            raise WorkbenchError(f"there is no scope {scope!r}", hint=hint)


def _insert(transaction: sqlite3.Connection, name: str, key: str, scopes: Collection[str]) -> None:
    transaction.execute(
        "INSERT INTO api_keys (name, digest, scopes, created_at) VALUES (?, ?, ?, ?)",
        (name, _digest(key), " ".join(sorted(scopes)), now()),
    )
    bump(transaction)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _info(row: sqlite3.Row) -> KeyInfo:
    return KeyInfo(row["name"], frozenset(row["scopes"].split()), row["created_at"])


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"the owner's API key cannot be read: {error}", hint=f"check {path}") from error


def _write(path: Path, key: str) -> None:
    """Replace the file in one step; it is never readable by others, nor half written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except OSError as error:
        raise StorageError(f"the owner's API key cannot be written: {error}", hint=f"check {path}") from error
