"""Long runs of what the suite tests for seconds.

python -m tests.safety crash [--rounds 200] [--seed S]
python -m tests.safety soak [--minutes 60] [--seed S] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from tests.safety import crash, soak


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("crash", "soak"))
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "crash":
            found = crash.run(Path(folder), arguments.rounds, arguments.seed)
            print(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in found.items()))
        else:
            report = soak.run(Path(folder), arguments.minutes * 60, arguments.seed)
            if arguments.json is not None:
                arguments.json.write_text(json.dumps(report, indent=1))
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
