"""What must not be lost: the project's database, its log, lake files and indexes.

:class:`Storage` is the door; everything else here is behind it.
"""

from workbench.storage.model import IndexInfo, IndexSpec, Receipt, StoredTable
from workbench.storage.reader import IndexReader
from workbench.storage.snapshot import Snapshot
from workbench.storage.storage import Storage

__all__ = ["IndexInfo", "IndexReader", "IndexSpec", "Receipt", "Snapshot", "Storage", "StoredTable"]
