SELECT id, list(n ORDER BY amount DESC, id) OVER w AS sorted, string_agg(mcc, '|' ORDER BY n) OVER w AS text,
       last_value(amount IGNORE NULLS) OVER w AS known, first_value(amount) OVER w AS oldest,
       nth_value(amount, 2) OVER w AS second, quantile_cont(0.5) WITHIN GROUP (ORDER BY n) OVER w AS middle
FROM tx
WINDOW w AS (PARTITION BY card ORDER BY ts ROWS 5 PRECEDING)
