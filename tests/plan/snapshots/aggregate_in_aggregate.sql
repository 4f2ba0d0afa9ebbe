SELECT id, sum(abs(n - min(n))) OVER w AS spread, sum(n + lag(n, 1)) OVER w AS odd
FROM tx
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS 5 PRECEDING)
