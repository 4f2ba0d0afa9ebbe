-- one request
WITH r_s0 AS (SELECT *
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."at" AS TIMESTAMP) AS "at", CAST(r."card" AS VARCHAR) AS "card"
FROM rows_s0_own r
UNION ALL SELECT r.__age, r.__seq, 0 AS __rank, 1 AS __member, CAST(r."at" AS TIMESTAMP) AS "at", CAST(r."card" AS VARCHAR) AS "card"
FROM rows_s0_0 r
WHERE (r."rate" > 0)) r) r),
g_s0 AS (SELECT count(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 THEN 1 END) AS __a0
FROM r_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "events"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."at" AS TIMESTAMP) AS "at", CAST(r."card" AS VARCHAR) AS "card"
FROM rows_s0_own r
UNION ALL SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 1 AS __member, CAST(r."at" AS TIMESTAMP) AS "at", CAST(r."card" AS VARCHAR) AS "card"
FROM rows_s0_0 r
WHERE (r."rate" > 0)) r) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 THEN 1 END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "events"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH r_s0 AS (SELECT *
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."at" AS TIMESTAMP) AS "at", CAST(r."card" AS VARCHAR) AS "card"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card"
FROM (SELECT *, rowid AS __seq
FROM "logins") r
WHERE r."at" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x))),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000001 PRECEDING) END AS __older_86400000001
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(__older_86400000001 + 1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."at", s."card"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r
UNION ALL SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 1 AS __member, CAST(r."at" AS TIMESTAMP) AS "at", CAST(r."card" AS VARCHAR) AS "card"
FROM (WITH x AS MATERIALIZED (SELECT * REPLACE (__ord - 3600000000 AS __ord, 9223372036854775807 AS __tie)
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card", r."rate"
FROM (SELECT *, rowid AS __seq
FROM "rates") r
WHERE r."at" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x))),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 82800000001 PRECEDING) END AS __older_82800000001
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(__older_82800000001 + 1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 3600000000 - s.__ord AS __age, s."at", s."card", s."rate"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r
WHERE (r."rate" > 0)) r) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 THEN 1 END) AS __a0
FROM __t0 a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s0)
SELECT a."id" AS "id", __a0 AS "events"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
