-- one request
WITH l_j0 AS (SELECT first(r."paid" ORDER BY r.__pos) FILTER (WHERE (r."booked" <= a."ts")) AS __j0_c0
FROM rows_j0 r, request a),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r),
g_s0 AS (SELECT count(CASE WHEN r.__pos >= 1 AND r.__age <= 604800000000 THEN 1 END) AS __a0
FROM rows_s0 r),
r_s1 AS (SELECT *
FROM (SELECT row_number() OVER ( ORDER BY r.__pos) - 0 AS __pos, r.__age, r."at", r."card", r."n", r."rate"
FROM rows_s1 r
JOIN __with_0 a ON true
WHERE (((r."at" + INTERVAL '3600000000 microseconds') <= a."ts") AND (r."at" > (a."ts" - INTERVAL '2592000000000 microseconds')))) r),
g_s1 AS (SELECT max(CASE WHEN r.__pos >= 1 AND r.__pos <= 3 THEN r."rate" END) AS __a1
FROM __with_0 a
LEFT JOIN r_s1 r ON true)
SELECT true AS __keep, a."id" AS "id", __a0 AS "known_rates", __a1 AS "most", a.__j0_c0 AS "paid"
FROM __with_0 a, g_s0, g_s1

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."paid" AS __j0_c0
FROM rows_j0 r
JOIN request a ON a.__anchor = r.__anchor
WHERE (r."booked" <= a."ts")
QUALIFY r.__pos = min(r.__pos) OVER (PARTITION BY r.__anchor)),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age <= 604800000000 THEN 1 END) AS __a0
FROM __with_0 a
LEFT JOIN rows_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor),
r_s1 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 0 AS __pos, r.__anchor, r.__age, r."at", r."card", r."n", r."rate"
FROM rows_s1 r
JOIN __with_0 a ON a.__anchor = r.__anchor
WHERE (((r."at" + INTERVAL '3600000000 microseconds') <= a."ts") AND (r."at" > (a."ts" - INTERVAL '2592000000000 microseconds')))) r),
g_s1 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 1 AND r.__pos <= 3 THEN r."rate" END) AS __a1
FROM __with_0 a
LEFT JOIN r_s1 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "known_rates", __a1 AS "most", a.__j0_c0 AS "paid"
FROM __with_0 a
JOIN g_s0 ON g_s0.__anchor = a.__anchor
JOIN g_s1 ON g_s1.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH o AS (SELECT r.*, epoch_us(r."at") AS __ord
FROM (SELECT *, rowid AS __seq
FROM "payouts") r),
s AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY __ord NULLS FIRST, __seq) AS __n
FROM o),
f AS (SELECT a.__anchor, max(r.__n) AS __n
FROM __t0 a
JOIN s r ON r."card" = a."card" AND r.__ord <= epoch_us(a."ts") - 0 AND (r."booked" <= a."ts")
GROUP BY a.__anchor)
SELECT a.*, CASE WHEN f.__n IS NOT NULL THEN r."paid" END AS __j0_c0
FROM __t0 a
LEFT JOIN f ON f.__anchor = a.__anchor
LEFT JOIN s r ON r.__n = f.__n),
__t2 AS MATERIALIZED (WITH g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age <= 604800000000 THEN 1 END) AS __a0
FROM __t1 a
LEFT JOIN (WITH x AS MATERIALIZED (SELECT * REPLACE (__ord - 3600000000 AS __ord, 9223372036854775807 AS __tie)
FROM (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t1 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card"
FROM (SELECT *, rowid AS __seq
FROM "rates") r
WHERE r."at" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x))),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 601200000001 PRECEDING) END AS __older_601200000001
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(__older_601200000001 + 1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 3600000000 - s.__ord AS __age, s."at", s."card"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s0),
__t3 AS MATERIALIZED (WITH r_s1 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 0 AS __pos, r.__anchor, r.__age, r."at", r."card", r."n", r."rate"
FROM (WITH x AS MATERIALIZED (SELECT *
FROM (SELECT a.__anchor, CAST(a."n" AS BIGINT) AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t1 a)),
s AS MATERIALIZED (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __ord, __seq) AS __n
FROM (SELECT r.__seq, CAST(r."n" AS BIGINT) AS __ord, r."card" AS __k0, r."at", r."card", r."n", r."rate"
FROM (SELECT *, rowid AS __seq
FROM "rates") r
WHERE r."n" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x))),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible
FROM (SELECT NULL AS __anchor, __k0, __ord, __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
p AS (SELECT __anchor, __k0, __ord, __visible, unnest(range(1, __visible + 1)) AS __n
FROM n
WHERE __anchor IS NOT NULL)
SELECT p.__anchor, p.__visible - p.__n + 1 AS __pos, s.__seq, p.__ord + 0 - s.__ord AS __age, s."at", s."card", s."n", s."rate"
FROM p
JOIN s ON s.__n = p.__n AND s.__k0 IS NOT DISTINCT FROM p.__k0) r
JOIN __t1 a ON a.__anchor = r.__anchor
WHERE (((r."at" + INTERVAL '3600000000 microseconds') <= a."ts") AND (r."at" > (a."ts" - INTERVAL '2592000000000 microseconds')))) r),
g_s1 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 1 AND r.__pos <= 3 THEN r."rate" END) AS __a1
FROM __t1 a
LEFT JOIN r_s1 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT *
FROM g_s1)
SELECT a."id" AS "id", __a0 AS "known_rates", __a1 AS "most", a.__j0_c0 AS "paid"
FROM __t1 a
JOIN __t2 s0 ON s0.__anchor = a.__anchor
JOIN __t3 s1 ON s1.__anchor = a.__anchor ORDER BY a.__anchor
