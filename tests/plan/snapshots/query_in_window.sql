SELECT id, max(tries) OVER w AS most
FROM tx
WINDOW w AS (FROM (SELECT at, card, count(*) OVER h AS tries FROM logins WINDOW h AS (PARTITION BY card ORDER BY at)) AS l
             PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW)
