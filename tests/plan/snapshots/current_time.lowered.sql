-- one request
WITH g_s0 AS (SELECT count(CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 THEN 1 END) AS __a0
FROM rows_s0 r),
g_s1 AS (SELECT count(CASE WHEN r.__pos >= 1 THEN 1 END) AS __a1
FROM rows_s1 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "before", __a1 AS "logins"
FROM request a, g_s0, g_s1

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 THEN 1 END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor),
g_s1 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 THEN 1 END) AS __a1
FROM request a
LEFT JOIN rows_s1 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "before", __a1 AS "logins"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor
JOIN g_s1 ON g_s1.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."ts"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, -1 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."ts") AS __ord, r."card" AS __k0, r."card", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r
WHERE r."ts" IS NOT NULL)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000001 PRECEDING) END AS __older_86400000001
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(__older_86400000001 + 1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."card", s."ts"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."ts"
FROM __t0 a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 AND r.__age <= 86400000000 THEN 1 END) AS __a0
FROM __t0 a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s0),
__t2 AS MATERIALIZED (WITH x AS MATERIALIZED (SELECT a.__anchor, epoch_us(a."ts") AS __ord, -1 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a),
s AS (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card"
FROM (SELECT *, rowid AS __seq
FROM "logins") r
WHERE r."at" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible
FROM (SELECT * EXCLUDE (__seq), __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
q AS (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie) AS __q
FROM n),
b AS (SELECT *, CASE WHEN (greatest(1, 1)) > (__visible) THEN __q + 1 ELSE __q - (greatest(1, 1)) END AS __from_w1, CASE WHEN (greatest(1, 1)) > (__visible) THEN __q + 1 ELSE __q - (__visible) END AS __to_w1
FROM q),
v AS (SELECT __anchor, count(*) OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie ROWS BETWEEN __from_w1 PRECEDING AND __to_w1 PRECEDING) AS __a1
FROM b r)
SELECT *
FROM v
WHERE __anchor IS NOT NULL)
SELECT a."id" AS "id", __a0 AS "before", __a1 AS "logins"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor
JOIN __t2 s1 ON s1.__anchor = a.__anchor ORDER BY a.__anchor
