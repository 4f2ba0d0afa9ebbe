-- one request, plan 1 below
WITH g_s0 AS (SELECT count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM rows_s0 r)
SELECT true AS __keep, a."at" AS "at", a."card" AS "card", __a0 AS "tries"
FROM request a, g_s0

-- many requests, plan 1 below
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."at", r."card"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."at", a."card"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 THEN 1 END) AS __a0
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."at" AS "at", a."card" AS "card", __a0 AS "tries"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- one request
WITH g_s0 AS (SELECT max(CASE WHEN r.__pos >= 1 AND r.__age <= 604800000000 THEN r."tries" END) AS __a0
FROM rows_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "most"
FROM request a, g_s0

-- many requests
WITH g_s0 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 1 AND r.__age <= 604800000000 THEN r."tries" END) AS __a0
FROM request a
LEFT JOIN rows_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "most"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."at", r."card"
FROM (SELECT *, rowid AS __seq
FROM "logins") r),
__t2 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."at") AS __ord, CASE WHEN r."at" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."at", r."card"
FROM (SELECT *, rowid AS __seq
FROM "logins") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (greatest(1, 1)) END AS __from_w0, CASE WHEN (greatest(1, 1)) > (__q) THEN __q + 1 ELSE __q - (__q) END AS __to_w0
FROM n),
v AS (SELECT __seq, count(*) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t1 a
JOIN v ON v.__seq = a.__seq),
__t3 AS MATERIALIZED (SELECT a.__seq AS __seq, a."at" AS "at", a."card" AS "card", __a0 AS "tries"
FROM __t1 a
JOIN __t2 s0 ON s0.__anchor = a.__anchor),
__t4 AS MATERIALIZED (WITH x AS MATERIALIZED (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a),
s AS (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card", r."tries"
FROM __t3 r
WHERE r."at" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0  ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 604800000001 PRECEDING) END AS __older_604800000001
FROM (SELECT * EXCLUDE (__seq), __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
q AS (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie) AS __q
FROM n),
b AS (SELECT *, CASE WHEN (greatest(__older_604800000001 + 1, 1)) > (__visible) THEN __q + 1 ELSE __q - (greatest(__older_604800000001 + 1, 1)) END AS __from_w0, CASE WHEN (greatest(__older_604800000001 + 1, 1)) > (__visible) THEN __q + 1 ELSE __q - (__visible) END AS __to_w0
FROM q),
v AS (SELECT __anchor, max(r."tries") OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0
FROM b r)
SELECT *
FROM v
WHERE __anchor IS NOT NULL)
SELECT a."id" AS "id", __a0 AS "most"
FROM __t0 a
JOIN __t4 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
