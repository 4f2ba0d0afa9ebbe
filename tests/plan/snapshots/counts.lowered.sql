-- one request
WITH g_s0 AS (SELECT count(CASE WHEN r.__pos >= 0 AND r.__age <= 10800000000 THEN 1 END) AS __a0, sum(CASE WHEN r.__pos >= 0 AND r.__age <= 10800000000 THEN r."amount" END) AS __a1, avg(CASE WHEN r.__pos >= 0 AND r.__pos <= 4 THEN r."n" END) AS __a2
FROM rows_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "cnt_3h", __a1 AS "total", __a2 AS "avg_5"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."amount", r."card", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."amount", a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 AND r.__age <= 10800000000 THEN 1 END) AS __a0, sum(CASE WHEN r.__pos >= 0 AND r.__age <= 10800000000 THEN r."amount" END) AS __a1, avg(CASE WHEN r.__pos >= 0 AND r.__pos <= 4 THEN r."n" END) AS __a2
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "cnt_3h", __a1 AS "total", __a2 AS "avg_5"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."amount", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."amount", r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN true THEN 1 END) OVER (PARTITION BY __k0, __alone ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 10800000001 PRECEDING) END AS __older_10800000001
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__older_10800000001 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(__older_10800000001 + 1, 1)) END AS __from_w0, CASE WHEN (greatest(__older_10800000001 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0, CASE WHEN (greatest(__q - 4, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (greatest(__q - 4, 1)) END AS __from_w1, CASE WHEN (greatest(__q - 4, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (__q - 0) END AS __to_w1
FROM n),
v AS (SELECT __seq, count(*) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0, sum(r."amount") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a1, avg(r."n") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w1 PRECEDING AND __to_w1 PRECEDING) AS __a2
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq)
SELECT a."id" AS "id", __a0 AS "cnt_3h", __a1 AS "total", __a2 AS "avg_5"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
