import os
from collections.abc import Callable
from pathlib import Path

from tests.storage.support import payments, run_python, stored_rows
from workbench.storage import Storage
from workbench.storage.files import FileLock

LEAVE_ORPHANS = """
import os, sys
from pathlib import Path
from workbench.storage import Storage

storage = Storage.open(sys.argv[1])
for name in ("lake/{}-900.parquet", "lake/{}-901.parquet.tmp", "segments/{}-902.arrow"):
    (storage.path / name.format(storage._files.writer)).write_text("unfinished")
spill = storage.path / "tmp" / f"{storage._files.writer}-903"
spill.mkdir()
(spill / "sort.tmp").write_text("spilled")
storage._files.take_lease(1)
print("ready", flush=True)
sys.stdin.read()
os._exit(9)
"""


def orphans(path: Path) -> set[str]:
    return {
        name for folder in ("lake", "segments", "tmp") for name in os.listdir(path / folder) if "-90" in name
    }


def test_orphans_go_only_when_their_writer_is_dead(storage: Storage, make: Callable[..., None]) -> None:
    make()
    storage.append("payments", payments((1, 1, 1.0, "a")))
    storage.flush()
    writer = run_python(LEAVE_ORPHANS, str(storage.path))
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    Storage.open(storage.path).close()
    assert len(orphans(storage.path)) == 4
    assert len(os.listdir(storage.path / "leases")) == 1
    writer.communicate()
    Storage.open(storage.path).close()
    assert orphans(storage.path) == set()
    assert os.listdir(storage.path / "leases") == []
    assert len(stored_rows(storage, "payments")) == 1
    alive = [name for name in os.listdir(storage.path / "locks") if name.endswith(".alive")]
    assert alive == [f"{storage._files.writer}.alive"]


def test_a_file_lock_excludes_until_released(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with FileLock(path):
        assert not FileLock(path).acquire(wait=False)
    second = FileLock(path)
    assert second.acquire(wait=False)
    second.release()
    second.release()


def test_a_lease_of_a_dead_process_protects_nothing(storage: Storage, make: Callable[..., None]) -> None:
    make()
    writer = run_python(LEAVE_ORPHANS, str(storage.path))
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    for number in range(8):
        storage.append("payments", payments((1, number, 1.0, "a")))
        storage.flush()
    assert len(list((storage.path / "lake").glob("*.parquet"))) > 4
    writer.communicate()
    storage.flush()
    assert len([name for name in os.listdir(storage.path / "lake") if "-90" not in name]) < 4
