-- one request
WITH g_s0 AS (SELECT count(CASE WHEN r.__pos >= 1 AND r.__age >= 1 AND r.__age <= 10800000000 THEN 1 END) AS __a0
FROM rows_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "before"
FROM request a, g_s0

-- many requests
WITH g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age >= 1 AND r.__age <= 10800000000 THEN 1 END) AS __a0
FROM request a
LEFT JOIN rows_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "before"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH x AS MATERIALIZED (SELECT a.__anchor, epoch_us(a."ts") AS __ord, coalesce(a.__seq * 2, 9223372036854775807) AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a),
s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, r."card" AS __k0, r."card", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r
WHERE r."ts" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) END AS __older_1, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 10800000001 PRECEDING) END AS __older_10800000001
FROM (SELECT * EXCLUDE (__seq), __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
q AS (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie) AS __q
FROM n),
b AS (SELECT *, CASE WHEN (greatest(__older_10800000001 + 1, 1)) > (__older_1) THEN __q + 1 ELSE __q - (greatest(__older_10800000001 + 1, 1)) END AS __from_w0, CASE WHEN (greatest(__older_10800000001 + 1, 1)) > (__older_1) THEN __q + 1 ELSE __q - (__older_1) END AS __to_w0
FROM q),
v AS (SELECT __anchor, count(*) OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT *
FROM v
WHERE __anchor IS NOT NULL)
SELECT a."id" AS "id", __a0 AS "before"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
