"""Features of anchor rows in bulk, each as of its own time."""

from workbench.offline.adhoc import ad_hoc
from workbench.offline.features import OfflineFeatures
from workbench.offline.result import Result
from workbench.offline.run import Progress

__all__ = ["OfflineFeatures", "Progress", "Result", "ad_hoc"]
