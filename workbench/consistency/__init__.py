"""request == offline, checked; and foreign values beside ours."""

from workbench.consistency.check import Check
from workbench.consistency.compare import Compare
from workbench.consistency.comparison import Comparison, Example, FeatureComparison
from workbench.consistency.report import Difference, Report

__all__ = ["Check", "Compare", "Comparison", "Difference", "Example", "FeatureComparison", "Report"]
