"""What kernels build beside a column: trees of partial aggregates, distances to newer equals, hash indexes of keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from workbench.kernels.program import KeyLevel

Slots = Callable[[tuple[KeyLevel, ...]], npt.NDArray[np.int32]]


def available() -> bool:
    """Whether kernels can build anything in this process."""
    return False


def slots_builder() -> Slots | None:
    return None


def tree(values: Any, valid: Any) -> npt.NDArray[np.int64]:
    raise NotImplementedError


def newer(values: Any, starts: Any, valid: Any) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    raise NotImplementedError
