SELECT id, sum(n) OVER w AS total
FROM tx
WINDOW w AS (UNION (SELECT at AS ts, card, max(score) OVER h AS n FROM logins
                    WINDOW h AS (PARTITION BY card ORDER BY at)) AS l
             PARTITION BY card ORDER BY ts ROWS 5 PRECEDING)
