"""Parts of times and steps between them, in UTC."""

from __future__ import annotations

import datetime as dt

from workbench.sql.catalogue.entry import Function

FUNCTIONS = (
    Function(
        "add_months",
        "day: time, months: number",
        "The date some months later, at most the last day of that month.",
        "add_months(DATE '2024-01-31', 1)",
        dt.date(2024, 2, 29),
        result="CAST({day} + to_months(CAST({months} AS INTEGER)) AS DATE)",
        source="OpenMLDB",
    ),
    Function(
        "date_format",
        "time: time, format: text",
        "A time as text, in strftime's notation.",
        "date_format(at, '%Y-%m-%d %H')",
        "2024-01-03 06",
        native="strftime",
        source="DuckDB",
    ),
    Function(
        "days_between",
        "later: time, earlier: time",
        "Days from one date to another, the time of day left out.",
        "days_between(at, TIMESTAMP '2024-01-01 23:00:00')",
        2,
        result="date_diff('day', CAST({earlier} AS DATE), CAST({later} AS DATE))",
        source="OpenMLDB's datediff",
    ),
    Function(
        "unix_timestamp",
        "time: time",
        "Whole seconds since 1970.",
        "unix_timestamp(at)",
        1704261600,
        result="CAST(floor(epoch({time})) AS BIGINT)",
        source="OpenMLDB; NULL of NULL, never the present",
    ),
    Function(
        "hour_of_week",
        "time: time",
        "The hour of the week, 0 on Monday at midnight to 167.",
        "hour_of_week(at)",
        54,
        result="(isodow({time}) - 1) * 24 + hour(CAST({time} AS TIMESTAMP))",
        source="24 * weekday + hour",
    ),
    Function(
        "is_weekend",
        "time: time",
        "Whether a time is on a Saturday or Sunday.",
        "is_weekend(at)",
        False,
        result="isodow({time}) >= 6",
        source="ISO weekday 6 or 7",
    ),
)
