"""Distances on the globe, in kilometres; latitudes and longitudes in degrees."""

from __future__ import annotations

from workbench.sql.catalogue.entry import Function

_HALF = (
    "pow(sin((radians({lat2}) - radians({lat1})) / 2), 2) "
    "+ cos(radians({lat1})) * cos(radians({lat2})) * pow(sin((radians({lon2}) - radians({lon1})) / 2), 2)"
)
_PLACES = "lat1: number, lon1: number, lat2: number, lon2: number"


def _distance(name: str, radius: str, what: str, example: str, gives: float, source: str) -> Function:
    return Function(
        name,
        _PLACES,
        what,
        example,
        gives,
        result=f"2 * {radius} * asin(sqrt(least({_HALF}, 1)))",
        source=source,
    )


FUNCTIONS = (
    _distance(
        "haversine",
        "6371.0088",
        "The great-circle distance of two places on a globe of the earth's mean radius.",
        "haversine(52.5200, 13.4050, 48.8566, 2.3522)",
        877.4645377479453,
        "haversine formula, R = 6371.0088 km (IUGG)",
    ),
    _distance(
        "earth_distance",
        "6372.8",
        "The same on OpenMLDB's globe.",
        "earth_distance(40, 73, 41, 74)",
        139.72810080682342,
        "OpenMLDB, R = 6372.8 km",
    ),
)
