"""The scenario *card transactions*: 20 features of (card, merchant, amount, now) from raw events of three tables.

Fixed seed; with its truth, computed twice by hand-written DuckDB SQL that must agree with itself.
"""

from tests.benchmarks.scenario.data import FEATURES, Scenario

__all__ = ["FEATURES", "Scenario"]
