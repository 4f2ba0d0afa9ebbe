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

-- offline, stage s0
in the request form

-- offline, stage s1
in the request form

-- plain
WITH __anchors AS (SELECT row_number() OVER (ORDER BY __seq) AS __anchor, __seq, "ts", "id", "card", "n"
FROM (SELECT *, rowid AS __seq
FROM "tx"))
SELECT "id", "events", "most", "strange"
FROM (WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 0 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."n" AS BIGINT) AS "n", CAST(r."ts" AS TIMESTAMP) AS "ts"
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, epoch_us(a."ts") - s.__ord AS __age, s."card", s."n", s."ts"
FROM __anchors a
JOIN (SELECT r.__seq, epoch_us(r."ts") AS __ord, r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r) s ON s."card" IS NOT DISTINCT FROM a."card" AND (s.__ord < epoch_us(a."ts") OR s.__ord = epoch_us(a."ts") AND s.__seq < coalesce(a.__seq, 9223372036854775807)) AND s.__ord >= epoch_us(a."ts") - 604800000000) r
UNION ALL SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 1 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, epoch_us(a."ts") - s.__ord AS __age, s."at", s."card", s."device", s."score"
FROM __anchors a
JOIN (SELECT r.__seq, epoch_us(r."at") AS __ord, r."at", r."card", r."device", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r) s ON s."card" IS NOT DISTINCT FROM a."card" AND s.__ord <= epoch_us(a."ts") AND s.__ord >= epoch_us(a."ts") - 604800000000) r
WHERE (r."device" = 'web')) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM __anchors a) r),
g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN 1 END) AS __a0, max(CASE WHEN r.__pos >= 0 AND r.__age <= 604800000000 THEN r."n" END) AS __a1
FROM __anchors a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor),
r_s1 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."card", r."n", r."ts"
FROM (SELECT r.* EXCLUDE (__seq, __rank, __member), row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__age, r.__rank, r.__seq DESC, r.__member) AS __pos
FROM (SELECT r.__anchor, r.__age, r.__seq, 1 AS __rank, 0 AS __member, CAST(r."card" AS VARCHAR) AS "card", CAST(r."score" AS BIGINT) AS "n", CAST(r."at" AS TIMESTAMP) AS "ts"
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, epoch_us(a."ts") - s.__ord AS __age, s."at", s."card", s."score"
FROM __anchors a
JOIN (SELECT r.__seq, epoch_us(r."at") AS __ord, r."at", r."card", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r) s ON s."card" IS NOT DISTINCT FROM a."card" AND s.__ord <= epoch_us(a."ts")) r) r) r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."card", a."n", a."ts"
FROM __anchors a) r),
g_s1 AS (SELECT a.__anchor, CAST(sum(CASE WHEN r.__pos >= 1 AND r.__pos <= 3 THEN r."n" END) AS BIGINT) AS __a2
FROM __anchors a
LEFT JOIN r_s1 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "events", __a1 AS "most", __a2 AS "strange"
FROM __anchors a
JOIN g_s0 ON g_s0.__anchor = a.__anchor
JOIN g_s1 ON g_s1.__anchor = a.__anchor ORDER BY a.__anchor)
WHERE __keep
