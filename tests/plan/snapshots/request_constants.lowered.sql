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

-- offline, stage s0
in the request form

-- plain
WITH __anchors AS (SELECT row_number() OVER (ORDER BY __seq) AS __anchor, __seq, "ts", "id", "n", "mcc"
FROM (SELECT *, rowid AS __seq
FROM "tx"))
SELECT "id", "same", "total"
FROM (WITH g_s0 AS (SELECT a.__anchor, count(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 AND (r."device" = a."mcc") THEN 1 END) AS __a0, CAST(sum(CASE WHEN r.__pos >= 1 AND r.__age <= 86400000000 THEN (r."score" + a."n") END) AS BIGINT) AS __a1
FROM __anchors a
LEFT JOIN (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, epoch_us(a."ts") - s.__ord AS __age, s."at", s."device", s."id", s."score"
FROM __anchors a
JOIN (SELECT r.__seq, epoch_us(r."at") AS __ord, r."at", r."device", r."id", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r) s ON s."id" = (a."n" + 100) AND s.__ord <= epoch_us(a."ts") AND s.__ord >= epoch_us(a."ts") - 86400000000) r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "same", __a1 AS "total"
FROM __anchors a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor)
WHERE __keep
