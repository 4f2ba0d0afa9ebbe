-- one request, plan 1 below
WITH g_s0 AS (SELECT max(CASE WHEN r.__pos >= 0 THEN r."score" END) AS __a0
FROM rows_s0 r)
SELECT true AS __keep, a."at" AS "ts", a."card" AS "card", __a0 AS "n"
FROM request a, g_s0

-- many requests, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."at", r."card", r."score"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."at", a."card", a."score"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 0 THEN r."score" END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."at" AS "ts", a."card" AS "card", __a0 AS "n"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- one request
WITH r_s0 AS (SELECT *
FROM (SELECT r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM rows_s0_own r
UNION ALL SELECT r.__age, r.__seq, 1 AS __rank, 1 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM rows_s0_0 r) r) r
UNION ALL SELECT 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN r."n" END) AS BIGINT) AS __a0
FROM r_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "total"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM rows_s0_own r
UNION ALL SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 1 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM rows_s0_0 r) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN r."n" END) AS BIGINT) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "total"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."at", r."card", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r),
__t2 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."at") AS __ord, CASE WHEN r."at" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."at", r."card", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(1, 1)) END AS __from_w0, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, max(r."score") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t1 a
JOIN v ON v.__seq = a.__seq),
__t3 AS MATERIALIZED (SELECT a.__seq AS __seq, a."at" AS "ts", a."card" AS "card", __a0 AS "n"
FROM __t1 a
JOIN __t2 s0 ON s0.__anchor = a.__anchor),
__t4 AS MATERIALIZED (WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, coalesce(a.__seq * 2, 9223372036854775807) AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."ts") AS __ord, r."card" AS __k0, r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r
WHERE r."ts" IS NOT NULL)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(greatest(__visible - 5 + 1, 1), __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."card", s."n", s."ts"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r
UNION ALL SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 1 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."ts") AS __ord, r."card" AS __k0, r."card", r."n", r."ts"
FROM __t3 r
WHERE r."ts" IS NOT NULL)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(greatest(__visible - 5 + 1, 1), __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."card", s."n", s."ts"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM __t0 a) r),
g_s0 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN r."n" END) AS BIGINT) AS __a0
FROM __t0 a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s0)
SELECT a."id" AS "id", __a0 AS "total"
FROM __t0 a
JOIN __t4 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
