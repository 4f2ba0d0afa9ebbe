-- one request
WITH g_s0 AS (SELECT count(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 AND (r."device" = a."mcc") THEN 1 END) AS __a0, CAST(sum(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 THEN (r."score" + a."n") END) AS BIGINT) AS __a1
FROM request a
LEFT JOIN rows_s0 r ON true)
SELECT true AS __keep, a."id" AS "id", __a0 AS "same", __a1 AS "total"
FROM request a, g_s0

-- many requests
WITH g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 AND (r."device" = a."mcc") THEN 1 END) AS __a0, CAST(sum(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 THEN (r."score" + a."n") END) AS BIGINT) AS __a1
FROM request a
LEFT JOIN rows_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "same", __a1 AS "total"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."n", r."mcc"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 AND (r."device" = a."mcc") THEN 1 END) AS __a0, CAST(sum(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 THEN (r."score" + a."n") END) AS BIGINT) AS __a1
FROM __t0 a
LEFT JOIN (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST((a."n" + 100) AS BIGINT) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."at") AS __ord, r."id" AS __k0, r."at", r."device", r."id", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r
WHERE r."at" IS NOT NULL AND r."id" IS NOT NULL AND (r."id") IN (SELECT (__k0)
FROM x))),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000001 PRECEDING) END AS __older_86400000001
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(__older_86400000001 + 1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."at", s."device", s."id", s."score"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s0)
SELECT a."id" AS "id", __a0 AS "same", __a1 AS "total"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
