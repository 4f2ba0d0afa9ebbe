-- one request, plan 1 below
WITH g_s0 AS (SELECT max(CASE WHEN r.__pos >= 0 AND r.__pos <= 3 THEN r."n" END) AS __a0
FROM rows_s0 r)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", __a0 AS "__v0"
FROM request a, g_s0

-- many requests, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 0 AND r.__pos <= 3 THEN r."n" END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", __a0 AS "__v0"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- one request
WITH l_j0 AS (SELECT first(r."device") FILTER (WHERE r.__pos = 1) AS __j0_c0
FROM rows_j0 r),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "device"
FROM __with_0 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."device" AS __j0_c0
FROM rows_j0 r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "device"
FROM __with_0 a ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__q - 3, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (greatest(__q - 3, 1)) END AS __from_w0, CASE WHEN (greatest(__q - 3, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (__q - 0) END AS __to_w0
FROM n),
v AS (SELECT __seq, max(r."n") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq),
__t2 AS MATERIALIZED (SELECT a.__anchor AS __anchor, a.__seq AS __seq, a."ts" AS "ts", a."id" AS "id", __a0 AS "__v0"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor),
__t3 AS MATERIALIZED (SELECT a.*, r.__j0_c0
FROM __t2 a
ASOF LEFT JOIN (SELECT r."score" AS __k0, r."device" AS __j0_c0, r."at" AS __time
FROM (SELECT *, rowid AS __seq
FROM "logins") r
QUALIFY least(row_number() OVER (PARTITION BY r."score", r."at" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a."__v0" AND a."ts" >= r.__time)
SELECT a."id" AS "id", a.__j0_c0 AS "device"
FROM __t3 a ORDER BY a.__anchor
