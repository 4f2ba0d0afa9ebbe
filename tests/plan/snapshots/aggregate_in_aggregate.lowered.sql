-- one request, plan 1 below
WITH g_s0 AS (SELECT min(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN r."n" END) AS __a0, first(r."n" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos >= 1 AND r.__pos <= 1) AS __a1
FROM rows_s0 r)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", a."card" AS "card", a."n" AS "n", __a0 AS "__v0", __a1 AS "__v1"
FROM request a, g_s0

-- many requests, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, min(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN r."n" END) AS __a0, first(r."n" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos >= 1 AND r.__pos <= 1) AS __a1
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."ts" AS "ts", a."id" AS "id", a."card" AS "card", a."n" AS "n", __a0 AS "__v0", __a1 AS "__v1"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- one request
WITH g_s0 AS (SELECT CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN abs((r."n" - a."__v0")) END) AS BIGINT) AS __a0, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN (r."n" + a."__v1") END) AS BIGINT) AS __a1
FROM request a
LEFT JOIN rows_s0 r ON true)
SELECT true AS __keep, a."id" AS "id", __a0 AS "spread", __a1 AS "odd"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN abs((r."n" - a."__v0")) END) AS BIGINT) AS __a0, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN (r."n" + a."__v1") END) AS BIGINT) AS __a1
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "spread", __a1 AS "odd"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__q - 5, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (greatest(__q - 5, 1)) END AS __from_w0, CASE WHEN (greatest(__q - 5, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (__q - 0) END AS __to_w0, CASE WHEN (greatest(__q - 1, 1)) > (__q - 1) THEN __q + 1 ELSE __q - (greatest(__q - 1, 1)) END AS __from_w1, CASE WHEN (greatest(__q - 1, 1)) > (__q - 1) THEN __q + 1 ELSE __q - (__q - 1) END AS __to_w1
FROM n),
v AS (SELECT __seq, min(r."n") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0, first_value(r."n") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w1 PRECEDING AND __to_w1 PRECEDING) AS __a1
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq),
__t2 AS MATERIALIZED (SELECT a.__anchor AS __anchor, a.__seq AS __seq, a."ts" AS "ts", a."id" AS "id", a."card" AS "card", a."n" AS "n", __a0 AS "__v0", __a1 AS "__v1"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor),
__t3 AS MATERIALIZED (WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, coalesce(a.__seq * 2, 9223372036854775807) AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t2 a)),
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
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM __t2 a) r),
g_s0 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN abs((r."n" - a."__v0")) END) AS BIGINT) AS __a0, CAST(sum(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN (r."n" + a."__v1") END) AS BIGINT) AS __a1
FROM __t2 a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s0)
SELECT a."id" AS "id", __a0 AS "spread", __a1 AS "odd"
FROM __t2 a
JOIN __t3 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
