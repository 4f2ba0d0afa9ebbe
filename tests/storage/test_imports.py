import subprocess
import sys
from pathlib import Path

import pyarrow as pa

from tests.storage.support import BY_CARD, COLUMNS, payments
from workbench.storage import Storage

SERVE = """
import sys
import pyarrow as pa
from workbench.storage import IndexSpec, Storage

storage = Storage.open(sys.argv[1])
rows = pa.ipc.open_file(sys.argv[2]).read_all()
storage.ensure_index(IndexSpec("payments", ("card", "shop"), "at"), ["amount"], live=True)
reader = storage.reader(IndexSpec("payments", ("card", "shop"), "at"))
for _ in range(3):
    storage.append("payments", rows)
    assert reader.read((1, "a"), ["amount"], limit=5, cut=1).num_rows == 1
    storage.flush()
with storage.snapshot() as snapshot, storage.connect() as connection:
    connection.execute(f"SELECT count(*) FROM {snapshot.relation(connection, 'payments')}").fetchall()
storage.close()
print(sorted({"pandas", "ibis", "sqlglot", "polars"} & set(sys.modules)))
"""


def test_neither_reading_nor_writing_loads_pandas(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "project")
    with storage.transaction() as tx:
        storage.create_table(tx, "payments", COLUMNS, "at")
    storage.ensure_index(BY_CARD, ["amount"], live=True)
    storage.close()
    rows = payments((1, 1, 1.0, "a"), (None, 2, None, None))
    with pa.ipc.new_file(str(tmp_path / "rows.arrow"), rows.schema) as writer:
        writer.write_table(rows)
    arguments = [sys.executable, "-c", SERVE, str(tmp_path / "project"), str(tmp_path / "rows.arrow")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "[]\n")
