"""The demo's times: right over midnight, over time zones and in the nights in which the clocks change."""

import pandas as pd
import pytest

from workbench.demo import flights
from workbench.demo.flights import NEW_YORK, clock_to_utc, next_time_on_clock


@pytest.fixture(scope="module")
def data() -> flights.Flights:
    return flights.read()


@pytest.fixture(scope="module")
def flown(data: flights.Flights) -> pd.DataFrame:
    """One row per flight that arrived, with the instants of its departure and its arrival."""
    known = data.flights.merge(
        data.arrivals[["flight_id", "arrived", "air_time", "dep_delay", "arr_delay"]], on="flight_id"
    )
    return known.assign(departed=known["scheduled"] + pd.to_timedelta(known["dep_delay"], unit="min"))


def utc(local: str, zone: str = NEW_YORK) -> str:
    return str(clock_to_utc(pd.Series(pd.to_datetime([local])), zone)[0])


def following(hhmm: float, after: str, zone: str = NEW_YORK) -> str:
    return str(next_time_on_clock(pd.Series([hhmm]), pd.Series(pd.to_datetime([after])), zone)[0])


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("2013-01-01 05:15", "2013-01-01 10:15:00"),  # winter: five hours behind
        ("2013-07-01 05:15", "2013-07-01 09:15:00"),  # summer: four
        ("2013-12-31 23:59", "2014-01-01 04:59:00"),
        ("2013-03-10 01:59", "2013-03-10 06:59:00"),
        ("2013-03-10 03:00", "2013-03-10 07:00:00"),
        ("2013-03-10 02:30", "2013-03-10 07:30:00"),  # left out that night: a clock that was not set yet
        ("2013-11-03 00:59", "2013-11-03 04:59:00"),
        ("2013-11-03 01:30", "2013-11-03 05:30:00"),  # twice that night: the first
        ("2013-11-03 02:00", "2013-11-03 07:00:00"),
    ],
)
def test_clock_of_new_york(local: str, expected: str) -> None:
    assert utc(local) == expected


@pytest.mark.parametrize(
    ("hhmm", "after", "zone", "expected"),
    [
        (830, "2013-01-01 10:17", "America/Chicago", "2013-01-01 14:30:00"),
        (17, "2013-01-02 04:30", NEW_YORK, "2013-01-02 05:17:00"),  # lands after midnight
        (2400, "2013-01-02 04:30", NEW_YORK, "2013-01-02 05:00:00"),
        (0, "2013-01-02 04:30", NEW_YORK, "2013-01-02 05:00:00"),
        (2350, "2013-01-02 05:10", NEW_YORK, "2013-01-03 04:50:00"),
        (1630, "2013-01-01 14:00", "Pacific/Honolulu", "2013-01-02 02:30:00"),
        (
            114,
            "2013-11-03 02:17",
            "America/Los_Angeles",
            "2013-11-03 08:14:00",
        ),  # 01:14 comes twice: the first
        (120, "2013-11-03 05:50", NEW_YORK, "2013-11-03 06:20:00"),  # the first 01:20 is over: the second
        (203, "2013-03-10 04:06", NEW_YORK, "2013-03-10 07:03:00"),  # 02:03 was left out
        (1030, "2013-01-01 15:30", NEW_YORK, "2013-01-01 15:30:00"),  # that very minute
    ],
)
def test_next_time_on_a_clock(hhmm: float, after: str, zone: str, expected: str) -> None:
    assert following(hhmm, after, zone) == expected


def test_unknown_clock_time_stays_unknown() -> None:
    assert following(float("nan"), "2013-01-01 10:00") == "NaT"


def test_every_row_of_the_data_set_is_there(data: flights.Flights) -> None:
    assert {name: len(frame) for name, frame in data.tables.items()} == {
        "flights": 336_776,
        "arrivals": 327_346,
        "weather": 26_115,
        "planes": 3_322,
        "airports": 1_458,
    }
    assert data.flights["flight_id"].is_unique
    assert data.flights["scheduled"].notna().all() and data.arrivals["arrived"].notna().all()


def test_scheduled_departure_agrees_with_the_utc_hour_of_the_data_set(data: flights.Flights) -> None:
    published = flights._csv("flights.csv.zip")["time_hour"]
    hour = data.flights.set_index("flight_id")["scheduled"].sort_index().dt.floor("h")
    assert (hour.to_numpy() == pd.to_datetime(published).dt.tz_localize(None).to_numpy()).all()


def test_arrival_agrees_with_the_published_delay(flown: pd.DataFrame) -> None:
    """Scheduled arrival + delay uses other columns than the arrival's clock time: both give the same minute, always."""
    by_delay = flown["scheduled_arrival"] + pd.to_timedelta(flown["arr_delay"], unit="min")
    assert (flown["arrived"] == by_delay).all()


def test_time_on_the_ground_is_plausible(flown: pd.DataFrame) -> None:
    minutes = (flown["arrived"] - flown["departed"]).dt.total_seconds() / 60 - flown["air_time"]
    assert minutes.between(5, 240).all()
    assert minutes.between(10, 90).mean() > 0.99
    assert 20 < minutes.median() < 40


def test_rows_are_in_the_order_of_their_time(data: flights.Flights) -> None:
    for name in ["flights", "arrivals", "weather"]:
        assert data.tables[name][flights.TIMES[name]].is_monotonic_increasing, name


def test_a_flight_carries_nothing_that_is_known_only_later(data: flights.Flights) -> None:
    assert not {"dep_delay", "arr_delay", "air_time", "dep_time", "arr_time", "late"} & set(data.flights)


def test_weather_is_known_when_its_hour_is_over(data: flights.Flights) -> None:
    first = data.weather[data.weather["origin"] == "EWR"].iloc[0]
    assert (str(first["observed"]), first["temp"]) == (
        "2013-01-01 07:00:00",
        39.02,
    )  # the hour that began 06:00 UTC
    assert not data.weather.duplicated(["origin", "observed"]).any()


def test_labels_leave_out_flights_that_never_arrived(data: flights.Flights) -> None:
    labels = flights.labels(data).set_index("flight_id")["late"]
    assert len(labels) == 327_346
    assert labels.mean() == pytest.approx(0.237, abs=0.001)
    assert not labels[1] and labels[2] and labels[3]  # 11, 20 and 33 minutes after schedule


def test_requests_are_rows_that_json_can_carry(data: flights.Flights) -> None:
    row = flights.requests(data, 3)[-1]
    assert row["scheduled"].startswith("2014-01-01T04:59:00")
    assert set(row) == set(data.flights)


def test_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(flights.WorkbenchError, match=r"feature-workbench\[demo\]"):
        flights.read()
