from pathlib import Path

import duckdb
import pytest

from workbench.storage import session


def test_times_are_utc() -> None:
    with session.connect() as connection:
        assert connection.execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)


def test_only_the_named_directories_can_be_read(tmp_path: Path) -> None:
    for name in ("lake", "other"):
        (tmp_path / name).mkdir()
        duckdb.execute(f"COPY (SELECT 1 AS a) TO '{tmp_path / name}/rows.parquet'")
    with session.connect(readable=[tmp_path / "lake"]) as connection:
        assert connection.execute(f"FROM read_parquet('{tmp_path}/lake/rows.parquet')").fetchall() == [(1,)]
        for path in ("other", "lake/../other"):
            with pytest.raises(duckdb.PermissionException):
                connection.execute(f"FROM read_parquet('{tmp_path}/{path}/rows.parquet')")


@pytest.mark.parametrize(
    "statement",
    [
        "SET enable_external_access = true",
        "SET TimeZone = 'Europe/Paris'",
        "SET allowed_directories = ['/']",
        "INSTALL spatial",
        "LOAD spatial",
        "ATTACH '/tmp/x.db'",
    ],
)
def test_a_query_cannot_lift_the_settings(statement: str) -> None:
    with session.connect() as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)


def test_python_variables_are_not_tables() -> None:
    secret = duckdb.sql("SELECT 42")
    with session.connect() as connection, pytest.raises(duckdb.CatalogException):
        connection.execute("FROM secret")
    assert secret is not None


def test_a_sort_larger_than_memory_spills(tmp_path: Path) -> None:
    with session.connect(memory_limit="60MB", temp_directory=tmp_path) as connection:
        query = "SELECT hash(i)::VARCHAR AS v FROM range(2_000_000) t(i) ORDER BY v"
        assert (
            sum(batch.num_rows for batch in connection.execute(query).to_arrow_reader(100_000)) == 2_000_000
        )


def test_quoting() -> None:
    with session.connect() as connection:
        value, name = session.text("it's"), session.quoted('a "b"')
        query = f"SELECT {value} AS {name}"
        assert connection.execute(query).to_arrow_table().to_pylist() == [{'a "b"': "it's"}]
