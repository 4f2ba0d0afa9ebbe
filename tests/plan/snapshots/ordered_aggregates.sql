SELECT list(n) OVER w AS l, string_agg(mcc, '-') OVER w AS s, first_value(mcc) OVER w AS f, mode(mcc) OVER w AS m,
       arg_max(mcc, amount) OVER w AS top, count(DISTINCT mcc) OVER w AS d
FROM tx
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS BETWEEN 5 PRECEDING AND CURRENT ROW)
