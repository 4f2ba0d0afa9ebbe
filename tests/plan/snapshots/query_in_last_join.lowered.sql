-- one request, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER ( ORDER BY r.__pos) - 1 AS __pos, r.__age, r."at", r."card", r."score"
FROM rows_s0 r
WHERE r.__pos = 0 OR (r."score" > 1)) r),
g_s0 AS (SELECT count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM r_s0 r)
SELECT coalesce((a."score" > 1), false) AS __keep, CASE WHEN coalesce((a."score" > 1), false) THEN a."at" END AS "at", CASE WHEN coalesce((a."score" > 1), false) THEN a."card" END AS "card", CASE WHEN coalesce((a."score" > 1), false) THEN a."device" END AS "device", CASE WHEN coalesce((a."score" > 1), false) THEN __a0 END AS "tries"
FROM request a, g_s0

-- many requests, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 1 AS __pos, r.__anchor, r.__age, r."at", r."card", r."score"
FROM (SELECT r.__anchor, r.__pos, r.__age, r."at", r."card", r."score"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."at", a."card", a."score"
FROM request a) r
WHERE r.__pos = 0 OR (r."score" > 1)) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT coalesce((a."score" > 1), false) AS __keep, CASE WHEN coalesce((a."score" > 1), false) THEN a."at" END AS "at", CASE WHEN coalesce((a."score" > 1), false) THEN a."card" END AS "card", CASE WHEN coalesce((a."score" > 1), false) THEN a."device" END AS "device", CASE WHEN coalesce((a."score" > 1), false) THEN __a0 END AS "tries"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- one request
WITH l_j0 AS (SELECT first(r."device") FILTER (WHERE r.__pos = 1) AS __j0_c0, first(r."tries") FILTER (WHERE r.__pos = 1) AS __j0_c1
FROM rows_j0 r),
__with_0 AS (SELECT a.*, r.__j0_c0, r.__j0_c1
FROM request a , l_j0 r)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "device", a.__j0_c1 AS "tries"
FROM __with_0 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."device" AS __j0_c0, r."tries" AS __j0_c1
FROM rows_j0 r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0, r.__j0_c1
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "device", a.__j0_c1 AS "tries"
FROM __with_0 a ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT a.*
FROM (SELECT r.__seq AS __anchor, r.__seq, r."at", r."card", r."device", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r) a
WHERE (a."score" > 1)),
__t2 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."at") AS __ord, CASE WHEN r."at" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."at", r."card", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r
WHERE (r."score" > 1)),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(1, 1)) END AS __from_w0, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, count(*) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t1 a
JOIN v ON v.__seq = a.__seq),
__t3 AS MATERIALIZED (SELECT a.__seq AS __seq, a."at" AS "at", a."card" AS "card", a."device" AS "device", __a0 AS "tries"
FROM __t1 a
JOIN __t2 s0 ON s0.__anchor = a.__anchor),
__t4 AS MATERIALIZED (SELECT a.*, r.__j0_c0, r.__j0_c1
FROM __t0 a
ASOF LEFT JOIN (SELECT r."card" AS __k0, r."device" AS __j0_c0, r."tries" AS __j0_c1, r."at" AS __time
FROM __t3 r
QUALIFY least(row_number() OVER (PARTITION BY r."card", r."at" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a."card" AND a."ts" >= r.__time)
SELECT a."id" AS "id", a.__j0_c0 AS "device", a.__j0_c1 AS "tries"
FROM __t4 a ORDER BY a.__anchor
