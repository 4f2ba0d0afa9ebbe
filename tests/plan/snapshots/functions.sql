SELECT id, count_where(n, amount > 0) OVER w AS positive, sum_cate(n, mcc) OVER w AS by_kind,
       top_n_value_sum_cate_where(n, amount > 0, mcc, 2) OVER w AS best, decayed_sum(amount, INTERVAL 6 HOURS) OVER w AS recent,
       gap_avg() OVER w AS gap, session_count(INTERVAL 2 HOURS) OVER w AS sessions, ew_avg(amount, 0.5) OVER w AS smooth,
       zscore(amount) OVER w AS z, topn_frequency(mcc, 2) OVER w AS usual, hash_bucket(card, 100) AS bucket
FROM tx
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
