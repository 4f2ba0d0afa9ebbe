"""A short run of the fuzz; ``python -m tests.fuzz --seconds 600 --seed 2`` is a long one."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.project import target
from tests.fuzz.run import by_schema, random_bytes

SEED = 20261124


def test_random_requests_get_answers_as_documented(tmp_path: Path) -> None:
    with target(tmp_path / "cards") as server:
        for half, seconds in ((random_bytes, 4), (by_schema, 8)):
            found = half(server, SEED, seconds)
            assert not found.wrong, f"seed {SEED}: {found}\n{found.wrong[0]}"
            assert found.statuses[200] and found.statuses[422], found
        assert '"traceback"' not in server.log.read_text()
