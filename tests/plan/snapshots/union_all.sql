SELECT id, count(*) OVER w AS events
FROM tx
WINDOW w AS (FROM (SELECT at, card FROM logins UNION ALL SELECT at, card FROM rates WHERE rate > 0) AS e
             PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
