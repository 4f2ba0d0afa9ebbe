SELECT id, max(score) OVER l AS best, count(*) FILTER (WHERE device = 'web') OVER l AS web
FROM tx
WINDOW l AS (FROM logins WHERE score > 1 PARTITION BY card ORDER BY at ROWS BETWEEN 5 PRECEDING AND CURRENT ROW)
