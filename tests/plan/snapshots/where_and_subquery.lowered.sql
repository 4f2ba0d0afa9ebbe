-- one request
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER ( ORDER BY r.__pos) - 1 AS __pos, r.__age, r."amount", r."card", r."day", r."n", r."ts"
FROM rows_s0 r
WHERE r.__pos = 0 OR ((r."amount" > 0) AND (r."n" < 20))) r),
g_s0 AS (SELECT sum(CASE WHEN r.__pos >= 0 THEN (r."amount" * 2) END) AS __a0
FROM r_s0 r)
SELECT coalesce(((a."amount" > 0) AND (a."n" < 20)), false) AS __keep, CASE WHEN coalesce(((a."amount" > 0) AND (a."n" < 20)), false) THEN a."id" END AS "id", CASE WHEN coalesce(((a."amount" > 0) AND (a."n" < 20)), false) THEN __a0 END AS "total"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 1 AS __pos, r.__anchor, r.__age, r."amount", r."card", r."day", r."n", r."ts"
FROM (SELECT r.__anchor, r.__pos, r.__age, r."amount", r."card", r."day", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."amount", a."card", a."day", a."n", a."ts"
FROM request a) r
WHERE r.__pos = 0 OR ((r."amount" > 0) AND (r."n" < 20))) r),
g_s0 AS (SELECT a.__anchor, sum(CASE WHEN r.__pos >= 0 THEN (r."amount" * 2) END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT coalesce(((a."amount" > 0) AND (a."n" < 20)), false) AS __keep, CASE WHEN coalesce(((a."amount" > 0) AND (a."n" < 20)), false) THEN a."id" END AS "id", CASE WHEN coalesce(((a."amount" > 0) AND (a."n" < 20)), false) THEN __a0 END AS "total"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT a.*
FROM (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."amount", r."n", r."day"
FROM (SELECT *, rowid AS __seq
FROM "tx") r) a
WHERE ((a."amount" > 0) AND (a."n" < 20))),
__t1 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(CAST(r."day" AS TIMESTAMP)) AS __ord, CASE WHEN r."day" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."amount", r."card", r."day", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r
WHERE ((r."amount" > 0) AND (r."n" < 20))),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(1, 1)) END AS __from_w0, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, sum((r."amount" * 2)) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq)
SELECT a."id" AS "id", __a0 AS "total"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
