-- Will a flight be late? What is known at its scheduled departure: its own plan, its plane's last flights,
-- how its carrier, its airport and its route have been doing, and the weather.
SELECT
  -- the flight itself, and its plane
  f.flight_id,
  f.carrier,
  f.origin,
  f.local_hour,
  dayofweek(f.scheduled - INTERVAL 5 HOUR)                    AS weekday,
  f.distance,
  date_diff('minute', f.scheduled, f.scheduled_arrival)       AS block_minutes,
  year(f.scheduled) - p.built                                 AS plane_age,
  p.seats,
  -- the weather
  w.temp,
  w.wind_gust,
  w.precip,
  w.visib,
  w.pressure,
  -- the plane's last flights
  prev.arr_delay                                              AS tail_delay,
  date_diff('minute', prev.arrived, f.scheduled)              AS tail_minutes_on_ground,
  avg(arr_delay) OVER tail_3                                  AS tail_delay_3,
  max(arr_delay) OVER tail_3                                  AS tail_worst_3,
  avg(arr_delay) OVER tail_5                                  AS tail_delay_5,
  count(*) OVER tail_1d                                       AS tail_flights_1d,
  -- the carrier at this airport
  count(*) OVER carrier_1d                                    AS carrier_flights_1d,
  avg(arr_delay) OVER carrier_1d                              AS carrier_delay_1d,
  avg(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) OVER carrier_1d AS carrier_late_1d,
  avg(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) OVER carrier_7d AS carrier_late_7d,
  -- the airport, and the route
  avg(dep_delay) OVER airport_3h                              AS airport_delay_3h,
  avg(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) OVER airport_3h AS airport_late_3h,
  count(*) OVER departures_1h                                 AS departures_1h,
  avg(arr_delay) OVER route_7d                                AS route_delay_7d,
  avg(CASE WHEN arr_delay > 15 THEN 1 ELSE 0 END) OVER route_7d AS route_late_7d
FROM flights AS f
LAST JOIN planes AS p ON f.tailnum = p.tailnum
LAST JOIN weather AS w ORDER BY w.observed ON f.origin = w.origin
LAST JOIN arrivals AS prev ORDER BY prev.arrived ON f.tailnum = prev.tailnum
WINDOW
  tail_3        AS (FROM arrivals PARTITION BY tailnum ORDER BY arrived ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING),
  tail_5        AS (FROM arrivals PARTITION BY tailnum ORDER BY arrived ROWS BETWEEN 5 PRECEDING AND 1 PRECEDING),
  tail_1d       AS (FROM arrivals PARTITION BY tailnum ORDER BY arrived ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW),
  carrier_1d    AS (FROM arrivals PARTITION BY carrier, origin ORDER BY arrived ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW),
  carrier_7d    AS (FROM arrivals PARTITION BY carrier, origin ORDER BY arrived ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW),
  airport_3h    AS (FROM arrivals PARTITION BY origin ORDER BY arrived ROWS_RANGE BETWEEN 3h PRECEDING AND CURRENT ROW),
  route_7d      AS (FROM arrivals PARTITION BY origin, dest ORDER BY arrived ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW),
  departures_1h AS (PARTITION BY f.origin ORDER BY f.scheduled ROWS_RANGE BETWEEN 1h PRECEDING AND CURRENT ROW)
