-- one request, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER ( ORDER BY r.__pos) - 1 AS __pos, r.__age, r."amount", r."card", r."n", r."ts"
FROM rows_s0 r
WHERE r.__pos = 0 OR (r."amount" > 0)) r),
g_s0 AS (SELECT CAST(sum(CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 THEN r."n" END) AS BIGINT) AS __a0
FROM r_s0 r)
SELECT coalesce((a."amount" > 0), false) AS __keep, CASE WHEN coalesce((a."amount" > 0), false) THEN a."ts" END AS "ts", CASE WHEN coalesce((a."amount" > 0), false) THEN a."id" END AS "id", CASE WHEN coalesce((a."amount" > 0), false) THEN a."card" END AS "card", CASE WHEN coalesce((a."amount" > 0), false) THEN a."amount" END AS "amount", CASE WHEN coalesce((a."amount" > 0), false) THEN __a0 END AS "__v0"
FROM request a, g_s0

-- many requests, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 1 AS __pos, r.__anchor, r.__age, r."amount", r."card", r."n", r."ts"
FROM (SELECT r.__anchor, r.__pos, r.__age, r."amount", r."card", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."amount", a."card", a."n", a."ts"
FROM request a) r
WHERE r.__pos = 0 OR (r."amount" > 0)) r),
g_s0 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 THEN r."n" END) AS BIGINT) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT coalesce((a."amount" > 0), false) AS __keep, CASE WHEN coalesce((a."amount" > 0), false) THEN a."ts" END AS "ts", CASE WHEN coalesce((a."amount" > 0), false) THEN a."id" END AS "id", CASE WHEN coalesce((a."amount" > 0), false) THEN a."card" END AS "card", CASE WHEN coalesce((a."amount" > 0), false) THEN a."amount" END AS "amount", CASE WHEN coalesce((a."amount" > 0), false) THEN __a0 END AS "__v0"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- one request
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER ( ORDER BY r.__pos) - 1 AS __pos, r.__age, r."__v0", r."amount", r."card", r."ts"
FROM rows_s0 r
WHERE r.__pos = 0 OR (r."amount" > 0)) r),
g_s0 AS (SELECT max(CASE WHEN r.__pos >= 0 AND r.__pos <= 9 THEN r."__v0" END) AS __a0
FROM r_s0 r)
SELECT coalesce((a."amount" > 0), false) AS __keep, CASE WHEN coalesce((a."amount" > 0), false) THEN a."id" END AS "id", CASE WHEN coalesce((a."amount" > 0), false) THEN a."__v0" END AS "spent", CASE WHEN coalesce((a."amount" > 0), false) THEN __a0 END AS "most"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 1 AS __pos, r.__anchor, r.__age, r."__v0", r."amount", r."card", r."ts"
FROM (SELECT r.__anchor, r.__pos, r.__age, r."__v0", r."amount", r."card", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."__v0", a."amount", a."card", a."ts"
FROM request a) r
WHERE r.__pos = 0 OR (r."amount" > 0)) r),
g_s0 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 0 AND r.__pos <= 9 THEN r."__v0" END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT coalesce((a."amount" > 0), false) AS __keep, CASE WHEN coalesce((a."amount" > 0), false) THEN a."id" END AS "id", CASE WHEN coalesce((a."amount" > 0), false) THEN a."__v0" END AS "spent", CASE WHEN coalesce((a."amount" > 0), false) THEN __a0 END AS "most"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."amount", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT a.*
FROM (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."amount", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r) a
WHERE (a."amount" > 0)),
__t2 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."amount", r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r
WHERE (r."amount" > 0)),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN true THEN 1 END) OVER (PARTITION BY __k0, __alone ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000001 PRECEDING) END AS __older_86400000001
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__older_86400000001 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(__older_86400000001 + 1, 1)) END AS __from_w0, CASE WHEN (greatest(__older_86400000001 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, CAST(sum(r."n") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS BIGINT) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t1 a
JOIN v ON v.__seq = a.__seq),
__t3 AS MATERIALIZED (SELECT a.__seq AS __seq, a."ts" AS "ts", a."id" AS "id", a."card" AS "card", a."amount" AS "amount", __a0 AS "__v0"
FROM __t1 a
JOIN __t2 s0 ON s0.__anchor = a.__anchor),
__t4 AS MATERIALIZED (SELECT a.*
FROM (SELECT a.__anchor, a.__seq, r.* EXCLUDE (__seq)
FROM __t0 a
JOIN __t3 r ON r.__seq = a.__seq) a
WHERE (a."amount" > 0)),
__t5 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."__v0", r."amount", r."card", r."ts"
FROM __t3 r
WHERE (r."amount" > 0)),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__q - 9, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (greatest(__q - 9, 1)) END AS __from_w0, CASE WHEN (greatest(__q - 9, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (__q - 0) END AS __to_w0
FROM n),
v AS (SELECT __seq, max(r."__v0") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t4 a
JOIN v ON v.__seq = a.__seq)
SELECT a."id" AS "id", a."__v0" AS "spent", __a0 AS "most"
FROM __t4 a
JOIN __t5 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
