"""One endpoint as Python sees it: its URL, requests to it, its state, going back, and snippets for other callers."""

from __future__ import annotations

import html
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.deployment.client import KEY_FILE, Client
from workbench.deployment.process import find_server, stop_server
from workbench.deployment.workers import opened, wait_for_generation
from workbench.errors import NotFound, RowError, WorkbenchError

if TYPE_CHECKING:
    from workbench.catalog.deployments import DeployedView

HUB_PREFIX = "JUPYTERHUB_SERVICE_PREFIX"
HUB_URL = "JUPYTERHUB_PUBLIC_URL"


class Deployment:
    """A deployed view.

    Parameters
    ----------
    path
        The project's folder.
    view
        Name of the view.
    version
        The version that was deployed; what is served now by default.

    Examples
    --------
    >>> deployment = view.deploy()                                       # doctest: +SKIP
    >>> deployment.request({"card_id": 7, "amount": 12.5})               # doctest: +SKIP
    {'cnt_7d': 3}
    """

    def __init__(self, path: str | os.PathLike[str], view: str, version: int | None = None) -> None:
        self.path = Path(path).resolve()
        self.view = view
        self._client = Client(self.path)
        self._described: dict[str, Any] = {}
        self.version: int = version if version is not None else self._deployed().version

    @property
    def previous_version(self) -> int | None:
        """The version that :meth:`rollback` goes back to; None when there is none."""
        return self._deployed().previous_version

    @property
    def url(self) -> str:
        """Where to POST rows. On JupyterHub and Binder it leads through the hub's proxy."""
        route = f"v1/features/{self.view}"
        server = self._client.server()
        prefix = os.environ.get(HUB_PREFIX)
        if prefix:
            public = os.environ.get(HUB_URL, "").rstrip("/")
            base = public if public else prefix.rstrip("/")
            return f"{base}/proxy/{server.port}/{route}"
        return f"{server.url}/{route}"

    @property
    def api_key(self) -> str:
        """The owner's API key. Write it nowhere; snippets read it from ``$WORKBENCH_API_KEY``."""
        return self._client.api_key

    def request(self, rows: Any, append: bool = False, as_of: datetime | str | None = None) -> Any:
        """Return the features of one row, or of several, as the endpoint answers them.

        Parameters
        ----------
        rows
            A dict (one row), a list of dicts, or a DataFrame or Arrow table.
        append
            Store the rows in the anchor's table after they are answered.
        as_of
            The time of rows that carry none; the server's clock by default.

        Returns
        -------
        dict or list of dicts
            Features as Python values; None for a row that the view's WHERE filters.

        Raises
        ------
        RowError
            A row cannot be answered; ``field`` and ``row`` say where. Nothing was appended.
        """
        from workbench.values import wire

        document = self.ask(rows, append=append, as_of=as_of)
        types = self._described["features"]
        answers = document.get("answers", [document])
        found = [_features(answer, types, wire.decode) for answer in answers]
        return found if "answers" in document else found[0]

    def ask(self, rows: Any, append: bool = False, as_of: datetime | str | None = None) -> dict[str, Any]:
        """Return the endpoint's JSON answer as it is; parameters as in :meth:`request`."""
        from workbench.values import wire

        self._describe()
        query: dict[str, Any] = {"append": "true"} if append else {}
        if as_of is not None:
            query["as_of"] = wire.encode(as_of, "TIMESTAMP") if isinstance(as_of, datetime) else as_of
        headers = {"Idempotency-Key": uuid.uuid4().hex} if append else {}
        body = wire_rows(rows, self._described["columns"])
        answer: dict[str, Any] = self._client.call(
            "POST", ("v1", "features", self.view), body, query, headers
        )
        if answer["version"] != self._described["version"]:
            self._described = {}
            self._describe()
        self.version = answer["version"]
        return answer

    def status(self) -> dict[str, Any]:
        """Return ``view, version, state, pid, url, uptime`` (seconds), ``requests, p50_ms, p99_ms, errors``.

        ``state`` is ``serving``, ``stopped`` (the view is not deployed any more) or ``no server``.
        """
        status: dict[str, Any] = {"view": self.view, "version": self.version, "state": "no server"}
        status |= dict.fromkeys(("pid", "url", "uptime", "requests", "p50_ms", "p99_ms", "errors"))
        server = find_server(self.path)
        if server is None:
            return status
        health = self._client.call("GET", ("healthz",))
        status |= {"pid": server.pid, "url": self.url, "uptime": health["uptime_seconds"], "state": "stopped"}
        try:
            described = self._client.call("GET", ("v1", "views", self.view))
        except NotFound:
            return status
        return status | {"state": "serving", "version": described["version"]} | described["traffic"]

    def rollback(self) -> Deployment:
        """Serve the version before; returns when all workers do."""
        from workbench.catalog import deployments
        from workbench.online import rollback, tidy_indexes

        with opened(self.path) as storage:
            rollback(storage, self.view)
            generation = deployments.generation(storage)
        wait_for_generation(self.path, generation, view=self.view)
        with opened(self.path) as storage:
            tidy_indexes(storage)
        self._described = {}
        self.version = self._deployed().version
        return self

    def stop(self) -> None:
        """Remove the endpoint; the server stops with its last one, and indexes that nothing needs any more go."""
        from workbench.catalog import deployments
        from workbench.online import tidy_indexes

        with opened(self.path) as storage:
            deployments.stop(storage, self.view)
            generation, others = deployments.generation(storage), deployments.current(storage)
        if others:
            wait_for_generation(self.path, generation, view=self.view)
        else:
            stop_server(self.path)
        with opened(self.path) as storage:
            tidy_indexes(storage)

    def curl(self, row: Mapping[str, Any] | None = None) -> str:
        """Return a shell command that asks the endpoint; the key comes from ``$WORKBENCH_API_KEY``.

        Parameters
        ----------
        row
            The row to ask with, as JSON carries it; values of the right types by default.
        """
        headers = ["X-API-Key: $WORKBENCH_API_KEY", *self._proxy_headers(), "Content-Type: application/json"]
        body = json.dumps(row or self._example())
        lines = [
            f"curl -sS '{self._full_url()}'",
            *(f'  -H "{header}"' for header in headers),
            f"  -d {_quoted(body)}",
        ]
        return f"# export WORKBENCH_API_KEY=$(cat {_quoted(str(self.path / KEY_FILE))})\n" + " \\\n".join(
            lines
        )

    def python(self) -> str:
        """Return Python code that asks the endpoint; the key comes from ``$WORKBENCH_API_KEY``."""
        headers = {"X-API-Key": 'os.environ["WORKBENCH_API_KEY"]'}
        if os.environ.get(HUB_PREFIX):
            headers["Authorization"] = "f\"token {os.environ['JUPYTERHUB_API_TOKEN']}\""
        shown = ", ".join(f'"{name}": {value}' for name, value in headers.items())
        return "\n".join(
            [
                "import os",
                "",
                "import requests",
                "",
                "answer = requests.post(",
                f"    {self._full_url()!r},",
                f"    headers={{{shown}}},",
                f"    json={self._example()!r},",
                ")",
                "answer.raise_for_status()",
                'print(answer.json()["features"])',
            ]
        )

    def __repr__(self) -> str:
        return f"Deployment(view={self.view!r}, version={self.version}, path={str(self.path)!r})"

    def _repr_html_(self) -> str:
        try:
            status = self.status()
        except WorkbenchError as error:
            status = {"view": self.view, "version": self.version, "state": error.message}
        shown = {name: value for name, value in status.items() if value is not None}
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
            for name, value in shown.items()
        )
        snippet = ""
        if status["state"] == "serving":
            snippet = f"<details><summary>curl</summary><pre>{html.escape(self.curl())}</pre></details>"
        return f"<table>{rows}</table>{snippet}"

    def _deployed(self) -> DeployedView:
        from workbench.catalog import deployments

        with opened(self.path) as storage:
            for deployed in deployments.current(storage):
                if deployed.view.casefold() == self.view.casefold():
                    return deployed
        raise NotFound(f"view {self.view!r} is not deployed", hint="deploy it with view.deploy()")

    def _describe(self) -> None:
        if not self._described:
            self._described = self._client.call("GET", ("v1", "views", self.view))

    def _example(self) -> dict[str, Any]:
        self._describe()
        example: dict[str, Any] = self._described["example"]
        return example

    def _full_url(self) -> str:
        url = self.url
        return f"https://<your hub>{url}" if url.startswith("/") else url

    def _proxy_headers(self) -> list[str]:
        return ["Authorization: token $JUPYTERHUB_API_TOKEN"] if os.environ.get(HUB_PREFIX) else []


def wire_rows(rows: Any, columns: Mapping[str, str]) -> Any:
    """Return rows as JSON carries them: the values that were given, by the types of the table's columns.

    A column that is not there is left out, not sent as null. What cannot be a row of the table is refused here as it
    is on the server.
    """
    from workbench.values import coerce

    if isinstance(rows, Mapping):
        return _wire_row(rows, columns, None)
    if isinstance(rows, (list, tuple)):
        return [
            _wire_row(row, columns, index) if isinstance(row, Mapping) else row
            for index, row in enumerate(rows)
        ]
    table = coerce.to_table(columns, rows)
    names = rows.column_names if hasattr(rows, "column_names") else getattr(rows, "columns", columns)
    folded = {str(name).casefold() for name in names}
    given = [name for name in columns if name.casefold() in folded]
    return [_encoded(row, given, columns) for row in table.to_pylist()]


def _wire_row(row: Mapping[str, Any], columns: Mapping[str, str], index: int | None) -> dict[str, Any]:
    from workbench.values import coerce

    folded = {str(name).casefold() for name in row}
    given = [name for name in columns if name.casefold() in folded]
    return _encoded(coerce.row_coercer(columns)(dict(row), index), given, columns)


def _encoded(row: Mapping[str, Any], given: Sequence[str], columns: Mapping[str, str]) -> dict[str, Any]:
    from workbench.values import wire

    return {name: wire.encode(row[name], columns[name]) for name in given}


def _features(answer: dict[str, Any], types: Mapping[str, str], decode: Any) -> dict[str, Any] | None:
    if "error" in answer:
        error = answer["error"]
        raise RowError(error["reason"], field=error["field"], row=error["row"])
    features = answer["features"]
    return None if features is None else {name: decode(features[name], kind) for name, kind in types.items()}


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
