SELECT id, count(*) FILTER (WHERE device = tx.mcc) OVER l AS same, sum(score + tx.n) OVER l AS total
FROM tx
WINDOW l AS (FROM logins PARTITION BY logins.id = tx.n + 100 ORDER BY at ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
