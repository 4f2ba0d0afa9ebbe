-- one request
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER ( ORDER BY r.__pos) - 0 AS __pos, r.__age, r."at", r."card", r."device", r."score"
FROM rows_s0 r
WHERE (r."score" > 1)) r),
g_s0 AS (SELECT max(CASE WHEN r.__pos >= 1 AND r.__pos <= 5 THEN r."score" END) AS __a0, count(CASE WHEN r.__pos >= 1 AND r.__pos <= 5 AND (r."device" = 'web') THEN 1 END) AS __a1
FROM r_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "best", __a1 AS "web"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) - 0 AS __pos, r.__anchor, r.__age, r."at", r."card", r."device", r."score"
FROM rows_s0 r
WHERE (r."score" > 1)) r),
g_s0 AS (SELECT a.__anchor, max(CASE WHEN r.__pos >= 1 AND r.__pos <= 5 THEN r."score" END) AS __a0, count(CASE WHEN r.__pos >= 1 AND r.__pos <= 5 AND (r."device" = 'web') THEN 1 END) AS __a1
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "best", __a1 AS "web"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH x AS MATERIALIZED (SELECT a.__anchor, epoch_us(a."ts") AS __ord, 9223372036854775807 AS __tie, CAST(a."card" AS VARCHAR) AS __k0
FROM __t0 a),
s AS (SELECT r.__seq, epoch_us(r."at") AS __ord, r."card" AS __k0, r."at", r."card", r."device", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r
WHERE r."at" IS NOT NULL AND r."card" IS NOT NULL AND (r."card") IN (SELECT (__k0)
FROM x) AND (r."score" > 1)),
n AS (SELECT *, count(CASE WHEN __anchor IS NULL THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __ord NULLS FIRST, __tie ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS __visible
FROM (SELECT * EXCLUDE (__seq), __seq * 2 + 1 AS __tie
FROM s
UNION ALL BY NAME SELECT *
FROM x)),
q AS (SELECT *, row_number() OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie) AS __q
FROM n),
b AS (SELECT *, CASE WHEN (greatest(__visible + 1 - 5, 1)) > (least(__visible + 1 - 0, __visible)) THEN __q + 1 ELSE __q - (greatest(__visible + 1 - 5, 1)) END AS __from_w0, CASE WHEN (greatest(__visible + 1 - 5, 1)) > (least(__visible + 1 - 0, __visible)) THEN __q + 1 ELSE __q - (least(__visible + 1 - 0, __visible)) END AS __to_w0
FROM q),
v AS (SELECT __anchor, max(r."score") OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0, count(CASE WHEN (r."device" = 'web') THEN 1 END) OVER (PARTITION BY __k0 ORDER BY __anchor NULLS FIRST, __ord, __tie ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a1
FROM b r)
SELECT *
FROM v
WHERE __anchor IS NOT NULL)
SELECT a."id" AS "id", __a0 AS "best", __a1 AS "web"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
