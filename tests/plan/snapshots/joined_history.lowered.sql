-- one request, plan 1 below
WITH l_j0 AS (SELECT first(r."opened") FILTER (WHERE r.__pos = 1) AS __j0_c0
FROM rows_j0 r),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r),
l_j1 AS (SELECT first(r."score") FILTER (WHERE r.__pos = 1) AS __j1_c0
FROM rows_j1 r),
__with_1 AS (SELECT a.*, r.__j1_c0
FROM __with_0 a , l_j1 r)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", a."n" AS "n", a."mcc" AS "mcc", a.__j0_c0 AS "__v0", a.__j1_c0 AS "__v1"
FROM __with_1 a

-- many requests, plan 1 below
WITH l_j0 AS (SELECT r.__anchor, r."opened" AS __j0_c0
FROM rows_j0 r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor),
l_j1 AS (SELECT r.__anchor, r."score" AS __j1_c0
FROM rows_j1 r
WHERE r.__pos = 1),
__with_1 AS (SELECT a.*, r.__j1_c0
FROM __with_0 a
LEFT JOIN l_j1 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", a."n" AS "n", a."mcc" AS "mcc", a.__j0_c0 AS "__v0", a.__j1_c0 AS "__v1"
FROM __with_1 a ORDER BY a.__anchor

-- one request
WITH g_s0 AS (SELECT count(DISTINCT CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 THEN r."__v0" END) AS __a0, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 AND (r."__v1" > 1) THEN r."n" END) AS BIGINT) AS __a1
FROM rows_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "kinds", __a1 AS "good"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."__v0", r."__v1", r."mcc", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."__v0", a."__v1", a."mcc", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, count(DISTINCT CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 THEN r."__v0" END) AS __a0, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 AND (r."__v1" > 1) THEN r."n" END) AS BIGINT) AS __a1
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "kinds", __a1 AS "good"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n", r."mcc"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n", r."mcc"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t2 AS MATERIALIZED (SELECT a.*, r.__j0_c0
FROM __t1 a
LEFT JOIN (SELECT r."card" AS __k0, r."opened" AS __j0_c0
FROM (SELECT *, rowid AS __seq
FROM "cards") r
QUALIFY least(row_number() OVER (PARTITION BY r."card" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a."card"),
__t3 AS MATERIALIZED (SELECT a.*, r.__j1_c0
FROM __t2 a
ASOF LEFT JOIN (SELECT r."card" AS __k0, r."score" AS __j1_c0, r."at" AS __time
FROM (SELECT *, rowid AS __seq
FROM "logins") r
QUALIFY least(row_number() OVER (PARTITION BY r."card", r."at" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a."card" AND a."ts" >= r.__time),
__t4 AS MATERIALIZED (SELECT a.__seq AS __seq, a."ts" AS "ts", a."id" AS "id", a."n" AS "n", a."mcc" AS "mcc", a.__j0_c0 AS "__v0", a.__j1_c0 AS "__v1"
FROM __t3 a),
__t5 AS MATERIALIZED (SELECT a.__anchor, a.__seq, r.* EXCLUDE (__seq)
FROM __t0 a
JOIN __t4 r ON r.__seq = a.__seq),
__t6 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."mcc" AS __k0, r."__v0", r."__v1", r."mcc", r."n", r."ts"
FROM __t4 r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN true THEN 1 END) OVER (PARTITION BY __k0, __alone ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000001 PRECEDING) END AS __older_86400000001
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__older_86400000001 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(__older_86400000001 + 1, 1)) END AS __from_w0, CASE WHEN (greatest(__older_86400000001 + 1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, count(DISTINCT r."__v0") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0, CAST(sum(r."n") FILTER (WHERE (r."__v1" > 1)) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS BIGINT) AS __a1
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t5 a
JOIN v ON v.__seq = a.__seq)
SELECT a."id" AS "id", __a0 AS "kinds", __a1 AS "good"
FROM __t5 a
JOIN __t6 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
