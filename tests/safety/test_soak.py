"""A few seconds of ``python -m tests.safety soak``, which runs for an hour."""

import random
from pathlib import Path

import pytest

from tests.safety import soak


@pytest.mark.slow
def test_mixed_load_fails_no_request_and_loses_no_row(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    report = soak.run(tmp_path, 8.0, seed)
    assert report["appended"] == report["stored"] > 1000
    assert sum(sample["requests"] for sample in report["samples"]) > 500
