SELECT id, count(*) OVER w AS events, max(n) OVER w AS most, sum(n) OVER other AS strange
FROM tx
WINDOW w AS (UNION (SELECT at AS ts, card, score AS n FROM logins WHERE device = 'web') AS l
             PARTITION BY card ORDER BY ts ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW),
       other AS (UNION (SELECT at AS ts, card, score AS n FROM logins) AS l
                 PARTITION BY card ORDER BY ts ROWS 3 PRECEDING EXCLUDE CURRENT_ROW INSTANCE_NOT_IN_WINDOW)
