"""request == offline, checked."""

from workbench.consistency.check import Check
from workbench.consistency.report import Difference, Report

__all__ = ["Check", "Difference", "Report"]
