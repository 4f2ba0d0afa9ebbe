-- one request
WITH g_s0 AS (SELECT count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM rows_s0 r),
g_s1 AS (SELECT max(CASE WHEN r.__pos >= 0 AND r.__age <= 5 THEN r."n" END) AS __a1
FROM rows_s1 r)
SELECT true AS __keep, __a0 AS "everyone", __a1 AS "near"
FROM request a, g_s0, g_s1

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor),
r_s1 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM rows_s1 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s1 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 0 AND r.__age <= 5 THEN r."n" END) AS __a1
FROM request a
LEFT JOIN r_s1 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, __a0 AS "everyone", __a1 AS "near"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor
JOIN g_s1 ON g_s1.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."card", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(1, 1)) END AS __from_w0, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, count(*) OVER (PARTITION BY __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq),
__t2 AS MATERIALIZED (WITH s AS (SELECT r.__seq, CAST(r."n" AS BIGINT) AS __ord, CASE WHEN r."n" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN true THEN 1 END) OVER (PARTITION BY __k0, __alone ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 6 PRECEDING) END AS __older_6
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__older_6 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(__older_6 + 1, 1)) END AS __from_w1, CASE WHEN (greatest(__older_6 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w1
FROM n),
v AS (SELECT __seq, max(r."n") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w1 PRECEDING AND __to_w1 PRECEDING) AS __a1
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq)
SELECT __a0 AS "everyone", __a1 AS "near"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor
JOIN __t2 s1 ON s1.__anchor = a.__anchor ORDER BY a.__anchor
