from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_a_log_that_is_too_long_is_put_aside_and_writers_follow(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    code = (
        "import os, sys; from pathlib import Path; from workbench.serving.log import keep_bounded\n"
        "path = Path(sys.argv[1])\n"
        "keep_bounded(path, 10); os.write(2, b'short')\n"
        "keep_bounded(path, 10); os.write(2, b' and long\\n')\n"
        "keep_bounded(path, 10); os.write(2, b'new\\n')\n"
        "path.rename(path.with_name('moved by another worker')); path.touch()\n"
        "keep_bounded(path, 10); os.write(2, b'newest\\n')\n"
    )
    with log.open("ab") as stream:
        subprocess.run([sys.executable, "-c", code, str(log)], stderr=stream, check=True)
    assert (tmp_path / "server.log.1").read_text() == "short and long\n"
    assert (tmp_path / "moved by another worker").read_text() == "new\n"
    assert log.read_text() == "newest\n"
