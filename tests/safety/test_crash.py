"""Some rounds of ``python -m tests.safety crash``, which runs hundreds."""

import random
from pathlib import Path

import pytest

from tests.safety import crash


@pytest.mark.slow
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    found = crash.run(tmp_path, 8, seed)
    assert found["rounds"] == 8
    assert found["compared"] > 100
