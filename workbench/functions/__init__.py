"""The user's own functions in Python: taken from where they are defined, kept as text, run inside DuckDB sessions."""

from workbench.functions.capture import capture
from workbench.functions.model import PROBE, PythonFunction, is_full_name, names_in, names_in_sql
from workbench.functions.probe import probing
from workbench.functions.runtime import load, register

__all__ = [
    "PROBE",
    "PythonFunction",
    "capture",
    "is_full_name",
    "load",
    "names_in",
    "names_in_sql",
    "probing",
    "register",
]
