"""Progress of work in a thread reaches the user, but not too often."""

from __future__ import annotations

from workbench.notebook import work


def test_steps_and_ends_pass_and_the_rest_is_thinned() -> None:
    told: list[tuple[str, float]] = []
    progress = work.throttled(lambda step, share: told.append((step, share)))
    for step in ("load", "compare"):
        for share in range(1001):
            progress(step, share / 1000)
    assert [entry for entry in told if entry[1] in (0.0, 1.0)] == [
        ("load", 0.0),
        ("load", 1.0),
        ("compare", 0.0),
        ("compare", 1.0),
    ]
    assert len(told) < 100


def test_what_work_returns_and_what_it_raises() -> None:
    ends: list[object] = []
    work.start(lambda _: 7, progress=print, done=ends.append, failed=ends.append).join(10)
    work.start(lambda _: 1 / 0, progress=print, done=ends.append, failed=ends.append).join(10)
    assert ends[0] == 7
    assert isinstance(ends[1], ZeroDivisionError)
