"""The user's own functions in Python: taken from where they are defined, kept as text, run inside DuckDB sessions."""

from workbench.functions.capture import capture
from workbench.functions.model import PythonFunction, names_in
from workbench.functions.runtime import load, register

__all__ = ["PythonFunction", "capture", "load", "names_in", "register"]
