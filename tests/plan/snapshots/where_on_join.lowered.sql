-- one request, plan 1 below
WITH l_j0 AS (SELECT first(r."limit_") FILTER (WHERE r.__pos = 1) AS __j0_c0
FROM rows_j0 r),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", a."card" AS "card", a.__j0_c0 AS "__v0"
FROM __with_0 a

-- many requests, plan 1 below
WITH l_j0 AS (SELECT r.__anchor, r."limit_" AS __j0_c0
FROM rows_j0 r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", a."card" AS "card", a.__j0_c0 AS "__v0"
FROM __with_0 a ORDER BY a.__anchor

-- one request
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER ( ORDER BY r.__pos) - 1 AS __pos, r.__age, r."__v0", r."card", r."ts"
FROM rows_s0 r
WHERE r.__pos = 0 OR (r."__v0" > 100)) r),
g_s0 AS (SELECT count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM r_s0 r)
SELECT coalesce((a."__v0" > 100), false) AS __keep, CASE WHEN coalesce((a."__v0" > 100), false) THEN a."id" END AS "id", CASE WHEN coalesce((a."__v0" > 100), false) THEN __a0 END AS "rich"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 1 AS __pos, r.__anchor, r.__age, r."__v0", r."card", r."ts"
FROM (SELECT r.__anchor, r.__pos, r.__age, r."__v0", r."card", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."__v0", a."card", a."ts"
FROM request a) r
WHERE r.__pos = 0 OR (r."__v0" > 100)) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT coalesce((a."__v0" > 100), false) AS __keep, CASE WHEN coalesce((a."__v0" > 100), false) THEN a."id" END AS "id", CASE WHEN coalesce((a."__v0" > 100), false) THEN __a0 END AS "rich"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t2 AS MATERIALIZED (SELECT a.*, r.__j0_c0
FROM __t1 a
LEFT JOIN (SELECT r."card" AS __k0, r."limit_" AS __j0_c0
FROM (SELECT *, rowid AS __seq
FROM "cards") r
QUALIFY least(row_number() OVER (PARTITION BY r."card" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a."card"),
__t3 AS MATERIALIZED (SELECT a.__seq AS __seq, a."ts" AS "ts", a."id" AS "id", a."card" AS "card", a.__j0_c0 AS "__v0"
FROM __t2 a),
__t4 AS MATERIALIZED (SELECT a.*
FROM (SELECT a.__anchor, a.__seq, r.* EXCLUDE (__seq)
FROM __t0 a
JOIN __t3 r ON r.__seq = a.__seq) a
WHERE (a."__v0" > 100)),
__t5 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."__v0", r."card", r."ts"
FROM __t3 r
WHERE (r."__v0" > 100)),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(1, 1)) END AS __from_w0, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, count(*) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t4 a
JOIN v ON v.__seq = a.__seq)
SELECT a."id" AS "id", __a0 AS "rich"
FROM __t4 a
JOIN __t5 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
