WITH base AS (SELECT *, amount * 2 AS twice FROM tx WHERE amount > 0)
SELECT id, sum(twice) OVER w AS total
FROM base
WHERE n < 20
WINDOW w AS (PARTITION BY card ORDER BY day)
