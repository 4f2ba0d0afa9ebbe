WITH spending AS (
    SELECT *, sum(n) OVER w AS spent FROM tx WHERE amount > 0
    WINDOW w AS (PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
)
SELECT id, spent, max(spent) OVER h AS most
FROM spending
WINDOW h AS (PARTITION BY card ORDER BY ts ROWS 9 PRECEDING)
