"""A short run of the fuzz; ``python -m tests.fuzz --seconds 600 --seed 2`` is a long one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.fuzz.project import target
from tests.fuzz.run import by_schema, random_bytes

SEED = 20261124


def test_random_requests_get_answers_as_documented(tmp_path: Path) -> None:
    with target(tmp_path / "cards") as server:
        for half, seconds in ((random_bytes, 4), (by_schema, 8)):
            statuses: Counter[int] = Counter()
            for longer in (1, 2, 4, 8):  # a busy machine sends little in a few seconds
                found = half(server, SEED + longer - 1, seconds * longer)
                assert not found.wrong, f"seed {SEED + longer - 1}: {found}\n{found.wrong[0]}"
                statuses += found.statuses
                if statuses[200] and statuses[422]:
                    break
            assert statuses[200] and statuses[422], statuses
        assert '"traceback"' not in server.log.read_text()
