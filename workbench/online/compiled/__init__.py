"""Requests answered by kernels and generated Python, in microseconds."""

from workbench.online.compiled.driver import CompiledDriver
from workbench.online.compiled.prepare import Prepared, Refused, prepare

__all__ = ["CompiledDriver", "Prepared", "Refused", "prepare"]
