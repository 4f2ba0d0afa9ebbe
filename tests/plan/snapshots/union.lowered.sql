-- one request
WITH r_s0 AS (SELECT *
FROM (SELECT r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM rows_s0_own r
UNION ALL SELECT r.__age, r.__seq, 1 AS __rank, 1 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM rows_s0_0 r
WHERE (r."device" = 'web')) r) r
UNION ALL SELECT 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT count(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN 1 END) AS __a0, max(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN r."n" END) AS __a1
FROM r_s0 r),
r_s1 AS (SELECT *
FROM (SELECT r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__age, r.__seq, 1 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM rows_s1_0 r) r) r
UNION ALL SELECT 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s1 AS (SELECT CAST(sum(CASE WHEN r.__pos >= 1 AND r.__pos <= 3 THEN r."n" END) AS BIGINT) AS __a2
FROM r_s1 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "events", __a1 AS "most", __a2 AS "strange"
FROM request a, g_s0, g_s1

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM rows_s0_own r
UNION ALL SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 1 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM rows_s0_0 r
WHERE (r."device" = 'web')) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN 1 END) AS __a0, max(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN r."n" END) AS __a1
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor),
r_s1 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM rows_s1_0 r) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s1 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 1 AND r.__pos <= 3 THEN r."n" END) AS BIGINT) AS __a2
FROM request a
LEFT JOIN r_s1 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "events", __a1 AS "most", __a2 AS "strange"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor
JOIN g_s1 ON g_s1.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH r_s0 AS (SELECT *
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
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 604800000001 PRECEDING) END AS __older_604800000001
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(__older_604800000001 + 1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."card", s."n", s."ts"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r
UNION ALL SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 1 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card", r."device", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r
WHERE r."at" IS NOT NULL)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 604800000001 PRECEDING) END AS __older_604800000001
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(__older_604800000001 + 1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."at", s."card", s."device", s."score"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r
WHERE (r."device" = 'web')) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM __t0 a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN 1 END) AS __a0, max(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN r."n" END) AS __a1
FROM __t0 a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s0),
__t2 AS MATERIALIZED (WITH r_s1 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r
WHERE r."at" IS NOT NULL)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(greatest(__visible - 3 + 1, 1), __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."at", s."card", s."score"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM __t0 a) r),
g_s1 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 1 AND r.__pos <= 3 THEN r."n" END) AS BIGINT) AS __a2
FROM __t0 a
LEFT JOIN r_s1 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s1)
SELECT a."id" AS "id", __a0 AS "events", __a1 AS "most", __a2 AS "strange"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor
JOIN __t2 s1 ON s1.__anchor = a.__anchor ORDER BY a.__anchor
