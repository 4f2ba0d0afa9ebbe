"""PostgreSQL: a cluster of our own, tables in the order of a covering index, one prepared statement a request."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from tests.benchmarks.peers import Missing, cpu_of_processes
from tests.benchmarks.scenario import FEATURES, Scenario
from tests.benchmarks.scenario.sql import Dialect, request_sql

_EPOCH = datetime(1970, 1, 1)
_SETTINGS = (
    "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=2GB -c fsync=off -c jit=off"
    " -c work_mem=256MB -c maintenance_work_mem=1GB -c max_wal_size=8GB -c max_connections=100"
)
_DIALECT = Dialect(
    card="%(card_id)s",
    ts="%(ts)s::timestamp",
    amount="%(amount)s::float8",
    merchant="%(merchant_id)s::int",
    mcc="%(mcc)s::smallint",
    interval=lambda count, unit: f"interval '{count} {unit}'",
    seconds=lambda later, earlier: f"extract(epoch FROM {later} - {earlier})::float8",
    online="is_online::float8",
)
_TABLES = {
    "txns": "card_id bigint, ts timestamp, amount float8, merchant_id int, mcc smallint, country smallint,"
    " is_online smallint",
    "card_fails": "card_id bigint, ts timestamp",
    "merchant_risk": "merchant_id int, ts timestamp, risk float8",
}


def start(scenario: Scenario, folder: Path) -> Postgres:
    """Start a cluster of our own and load the scenario."""
    try:
        import psycopg  # noqa: F401
        import psycopg_pool  # noqa: F401
    except ImportError:
        raise Missing('pip install "psycopg[binary,pool]"') from None
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or shutil.which("su") is None:
        raise Missing("apt-get install postgresql") from None
    cluster = Cluster(programs[-1], folder / "postgres")
    cluster.start()
    (folder / "postgres.dsn").write_text(cluster.dsn)
    _load(scenario, cluster.dsn)
    return Postgres(cluster.dsn, cluster)


def attach(folder: Path) -> Postgres:
    """Use the cluster that was started."""
    return Postgres((folder / "postgres.dsn").read_text())


class Cluster:
    """A PostgreSQL cluster in a folder; root hands it to the user ``postgres``, which the server asks for."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.dsn = f"host=127.0.0.1 port={self._port} user=postgres dbname=postgres"

    def start(self) -> None:
        """Make it anew and start it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres")
            for parent in self._folder.parents:
                parent.chmod(parent.stat().st_mode | 0o011)
        self._run(f"initdb -D {self._folder} -U postgres -A trust")
        self._run(f'pg_ctl -D {self._folder} -w -l {self._folder}/log -o "-p {self._port} {_SETTINGS}" start')

    def stop(self) -> None:
        """Stop it."""
        self._run(f"pg_ctl -D {self._folder} -m fast stop")

    def _run(self, command: str) -> None:
        text = f"{self._programs}/{command}"
        words = ["su", "postgres", "-s", "/bin/sh", "-c", text] if os.getuid() == 0 else ["sh", "-c", text]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd="/")


class Postgres:
    """A connection in process, a pool of up to eight in a server."""

    mode = "async"

    def __init__(self, dsn: str, cluster: Cluster | None = None) -> None:
        import psycopg

        self._dsn = dsn
        self._cluster = cluster
        self._sql = request_sql(_DIALECT)
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.prepare_threshold = 0
        self._pool: Any = None

    def features(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one request."""
        found = self._connection.execute(self._sql, _asked(row)).fetchone()
        assert found is not None
        return dict(zip(FEATURES, found, strict=True))

    async def afeatures(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the features of one request."""
        if self._pool is None:
            from psycopg_pool import AsyncConnectionPool

            async def prepared(connection: Any) -> None:
                connection.prepare_threshold = 0
                await connection.set_autocommit(True)

            self._pool = AsyncConnectionPool(
                self._dsn, min_size=4, max_size=8, open=False, configure=prepared
            )
            await self._pool.open()
        async with self._pool.connection() as connection:
            found = await (await connection.execute(self._sql, _asked(row))).fetchone()
        return dict(zip(FEATURES, found, strict=True))

    def store_cpu(self) -> float:
        """CPU seconds of the server's processes."""
        return cpu_of_processes("postgres")

    def close(self) -> None:
        """Stop the cluster."""
        self._connection.close()
        if self._cluster is not None:
            self._cluster.stop()


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"ts": _EPOCH + timedelta(microseconds=row["ts"])}


def _load(scenario: Scenario, dsn: str) -> None:
    import psycopg

    order = [("card_id", "ascending"), ("ts", "ascending")]
    kinds = [("kind", "in", ["login_fail", "pin_fail"])]
    rows = {
        "txns": pq.read_table(scenario.path("txns")).sort_by(order).drop_columns(["txn_id"]),
        "card_fails": pq.read_table(scenario.path("card_events"), filters=kinds).select(["card_id", "ts"]),
        "merchant_risk": pq.read_table(scenario.path("merchant_risk")),
    }
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, columns in _TABLES.items():
            connection.execute(f"CREATE UNLOGGED TABLE {name} ({columns})")
            with connection.cursor().copy(f"COPY {name} FROM STDIN (FORMAT csv)") as copy:
                for batch in rows[name].to_batches(max_chunksize=200_000):
                    text = io.BytesIO()
                    pc.write_csv(pa.Table.from_batches([batch]), text, pc.WriteOptions(include_header=False))
                    copy.write(text.getvalue())
        connection.execute(
            "CREATE INDEX ON txns (card_id, ts) INCLUDE (amount, merchant_id, mcc, country, is_online)"
        )
        connection.execute("CREATE INDEX ON card_fails (card_id, ts)")
        connection.execute("CREATE INDEX ON merchant_risk (merchant_id, ts) INCLUDE (risk)")
        connection.execute("VACUUM ANALYZE")
