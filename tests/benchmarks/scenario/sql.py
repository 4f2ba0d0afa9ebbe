"""The scenario's features in hand-written SQL, as people write it without a feature engine.

A window holds the stored events with ``ts`` in [request − length, request): the request itself is not in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """What differs between databases: the placeholders of a request, and a few functions."""

    card: str
    ts: str
    amount: str
    merchant: str
    mcc: str
    interval: Callable[[int, str], str]
    seconds: Callable[[str, str], str]
    deviation: str = "stddev_pop(amount)"
    online: str = "is_online"


def request_sql(dialect: Dialect) -> str:
    """Return the query of one request."""
    d = dialect

    def since(count: int, unit: str) -> str:
        return f"ts >= {d.ts} - {d.interval(count, unit)}"

    def last(call: str, count: int, unit: str) -> str:
        return f"{call} FILTER (WHERE {since(count, unit)})"

    return f"""
SELECT {last("count(*)", 1, "hour")} AS txn_cnt_1h,
  {last("count(*)", 1, "day")} AS txn_cnt_1d,
  {last("count(*)", 7, "day")} AS txn_cnt_7d,
  count(*) AS txn_cnt_30d,
  {last("sum(amount)", 1, "hour")} AS amt_sum_1h,
  {last("sum(amount)", 1, "day")} AS amt_sum_1d,
  {last("sum(amount)", 7, "day")} AS amt_sum_7d,
  sum(amount) AS amt_sum_30d, avg(amount) AS amt_avg_30d, max(amount) AS amt_max_30d, min(amount) AS amt_min_30d,
  {d.deviation} AS amt_std_30d,
  count(DISTINCT merchant_id) AS merch_nunique_30d,
  {last("count(DISTINCT country)", 7, "day")} AS country_nunique_7d,
  {last(f"avg({d.online})", 7, "day")} AS online_ratio_7d,
  {d.seconds(d.ts, "max(ts)")} AS secs_since_last,
  count(*) FILTER (WHERE mcc = {d.mcc}) AS same_mcc_cnt_30d,
  {d.amount} / nullif(avg(amount), 0) AS amt_over_avg_30d,
  (SELECT count(*) FROM card_fails e
    WHERE e.card_id = {d.card} AND e.ts >= {d.ts} - {d.interval(1, "day")} AND e.ts < {d.ts}) AS fail_cnt_1d,
  (SELECT risk FROM merchant_risk m
    WHERE m.merchant_id = {d.merchant} AND m.ts <= {d.ts} ORDER BY m.ts DESC LIMIT 1) AS merchant_risk
FROM txns WHERE card_id = {d.card} AND {since(30, "day")} AND ts < {d.ts}"""


#: A whole spine by a join and conditional aggregates.
BATCH_JOIN = """
WITH w AS (
  SELECT s.req_id,
    count(t.ts) FILTER (WHERE t.ts >= s.ts - INTERVAL '1 hour') AS txn_cnt_1h,
    count(t.ts) FILTER (WHERE t.ts >= s.ts - INTERVAL '1 day') AS txn_cnt_1d,
    count(t.ts) FILTER (WHERE t.ts >= s.ts - INTERVAL '7 day') AS txn_cnt_7d,
    count(t.ts) AS txn_cnt_30d,
    sum(t.amount) FILTER (WHERE t.ts >= s.ts - INTERVAL '1 hour') AS amt_sum_1h,
    sum(t.amount) FILTER (WHERE t.ts >= s.ts - INTERVAL '1 day') AS amt_sum_1d,
    sum(t.amount) FILTER (WHERE t.ts >= s.ts - INTERVAL '7 day') AS amt_sum_7d,
    sum(t.amount) AS amt_sum_30d, avg(t.amount) AS amt_avg_30d,
    max(t.amount) AS amt_max_30d, min(t.amount) AS amt_min_30d, stddev_pop(t.amount) AS amt_std_30d,
    count(DISTINCT t.merchant_id) AS merch_nunique_30d,
    count(DISTINCT t.country) FILTER (WHERE t.ts >= s.ts - INTERVAL '7 day') AS country_nunique_7d,
    avg(t.is_online) FILTER (WHERE t.ts >= s.ts - INTERVAL '7 day') AS online_ratio_7d,
    max(t.ts) AS last_ts, count(t.ts) FILTER (WHERE t.mcc = s.mcc) AS same_mcc_cnt_30d
  FROM {spine} s
    LEFT JOIN txns t ON t.card_id = s.card_id AND t.ts >= s.ts - INTERVAL '30 day' AND t.ts < s.ts
  GROUP BY s.req_id),
f AS (
  SELECT s.req_id, count(e.ts) AS fail_cnt_1d
  FROM {spine} s
    LEFT JOIN card_fails e ON e.card_id = s.card_id AND e.ts >= s.ts - INTERVAL '1 day' AND e.ts < s.ts
  GROUP BY s.req_id)
SELECT s.req_id, w.* EXCLUDE (req_id, last_ts),
  epoch_us(s.ts) / 1e6 - epoch_us(w.last_ts) / 1e6 AS secs_since_last,
  s.amount / nullif(w.amt_avg_30d, 0) AS amt_over_avg_30d, f.fail_cnt_1d, m.risk AS merchant_risk
FROM {spine} s JOIN w USING (req_id) JOIN f USING (req_id)
  ASOF LEFT JOIN merchant_risk m ON m.merchant_id = s.merchant_id AND m.ts <= s.ts
"""

#: The same by window functions over events and spine together.
BATCH_WINDOW = """
WITH u AS (
  SELECT card_id, ts, amount, merchant_id, mcc, country, is_online, ts AS tts, NULL::BIGINT AS req_id FROM txns
  UNION ALL
  SELECT card_id, ts, NULL, NULL, mcc, NULL, NULL, NULL, req_id FROM {spine}),
w AS (
  SELECT req_id,
    count(tts) OVER h1 AS txn_cnt_1h, count(tts) OVER d1 AS txn_cnt_1d,
    count(tts) OVER d7 AS txn_cnt_7d, count(tts) OVER d30 AS txn_cnt_30d,
    sum(amount) OVER h1 AS amt_sum_1h, sum(amount) OVER d1 AS amt_sum_1d,
    sum(amount) OVER d7 AS amt_sum_7d, sum(amount) OVER d30 AS amt_sum_30d,
    avg(amount) OVER d30 AS amt_avg_30d, max(amount) OVER d30 AS amt_max_30d,
    min(amount) OVER d30 AS amt_min_30d, stddev_pop(amount) OVER d30 AS amt_std_30d,
    count(DISTINCT merchant_id) OVER d30 AS merch_nunique_30d,
    count(DISTINCT country) OVER d7 AS country_nunique_7d, avg(is_online) OVER d7 AS online_ratio_7d,
    max(tts) OVER d30 AS last_ts, count(tts) OVER m30 AS same_mcc_cnt_30d
  FROM u
  WINDOW
    h1 AS (PARTITION BY card_id ORDER BY ts
      RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND INTERVAL '1 microsecond' PRECEDING),
    d1 AS (PARTITION BY card_id ORDER BY ts
      RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 microsecond' PRECEDING),
    d7 AS (PARTITION BY card_id ORDER BY ts
      RANGE BETWEEN INTERVAL '7 day' PRECEDING AND INTERVAL '1 microsecond' PRECEDING),
    d30 AS (PARTITION BY card_id ORDER BY ts
      RANGE BETWEEN INTERVAL '30 day' PRECEDING AND INTERVAL '1 microsecond' PRECEDING),
    m30 AS (PARTITION BY card_id, mcc ORDER BY ts
      RANGE BETWEEN INTERVAL '30 day' PRECEDING AND INTERVAL '1 microsecond' PRECEDING)
  QUALIFY req_id IS NOT NULL),
fu AS (
  SELECT card_id, ts, 1 AS one, NULL::BIGINT AS req_id FROM card_fails
  UNION ALL
  SELECT card_id, ts, NULL, req_id FROM {spine}),
f AS (
  SELECT req_id, count(one) OVER (PARTITION BY card_id ORDER BY ts
    RANGE BETWEEN INTERVAL '1 day' PRECEDING AND INTERVAL '1 microsecond' PRECEDING) AS fail_cnt_1d
  FROM fu QUALIFY req_id IS NOT NULL)
SELECT s.req_id, w.* EXCLUDE (req_id, last_ts),
  epoch_us(s.ts) / 1e6 - epoch_us(w.last_ts) / 1e6 AS secs_since_last,
  s.amount / nullif(w.amt_avg_30d, 0) AS amt_over_avg_30d, f.fail_cnt_1d, m.risk AS merchant_risk
FROM {spine} s JOIN w USING (req_id) JOIN f USING (req_id)
  ASOF LEFT JOIN merchant_risk m ON m.merchant_id = s.merchant_id AND m.ts <= s.ts
"""

#: What the hand-written stores keep of the card events.
FAILS = "kind IN ('login_fail', 'pin_fail')"
