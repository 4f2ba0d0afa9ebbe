-- one request
WITH l_j0 AS (SELECT first(r."card") FILTER (WHERE r.__pos = 1) AS __j0_c0
FROM rows_j0 r),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r),
l_j1 AS (SELECT first(r."limit_") FILTER (WHERE r.__pos = 1) AS __j1_c0
FROM rows_j1 r),
__with_1 AS (SELECT a.*, r.__j1_c0
FROM __with_0 a , l_j1 r)
SELECT coalesce((a.__j1_c0 > 10), false) AS __keep, CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN a."id" END AS "id", CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN a.__j1_c0 END AS "limit_", CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN (a.__j1_c0 - a."amount") END AS "room"
FROM __with_1 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."card" AS __j0_c0
FROM rows_j0 r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor),
l_j1 AS (SELECT r.__anchor, r."limit_" AS __j1_c0
FROM rows_j1 r
WHERE r.__pos = 1),
__with_1 AS (SELECT a.*, r.__j1_c0
FROM __with_0 a
LEFT JOIN l_j1 r ON r.__anchor = a.__anchor)
SELECT coalesce((a.__j1_c0 > 10), false) AS __keep, CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN a."id" END AS "id", CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN a.__j1_c0 END AS "limit_", CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN (a.__j1_c0 - a."amount") END AS "room"
FROM __with_1 a ORDER BY a.__anchor

-- offline, lookup j0
SELECT a.*, r.__j0_c0
FROM anchors a
ASOF LEFT JOIN (SELECT r."card" AS __k0, r."card" AS __j0_c0, r."at" AS __time
FROM logins r
QUALIFY row_number() OVER (PARTITION BY r."card", r."at" ORDER BY r.__seq DESC) = 1) r ON r.__k0 = a."card" AND a."ts" >= r.__time

-- offline, lookup j1
SELECT a.*, r.__j1_c0
FROM anchors a
LEFT JOIN (SELECT r."card" AS __k0, r."limit_" AS __j1_c0
FROM cards r
QUALIFY row_number() OVER (PARTITION BY r."card" ORDER BY r.__seq DESC) = 1) r ON r.__k0 = a.__j0_c0

-- plain
WITH __anchors AS (SELECT row_number() OVER (ORDER BY __seq) AS __anchor, __seq, "ts", "id", "card", "amount"
FROM (SELECT *, rowid AS __seq
FROM "tx"))
SELECT "id", "limit_", "room"
FROM (WITH l_j0 AS (SELECT r.__anchor, r."card" AS __j0_c0
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, s."at", s."card"
FROM __anchors a
JOIN (SELECT r.__seq, epoch_us(r."at") AS __ord, r."at", r."card"
FROM (SELECT *, rowid AS __seq
FROM "logins") r) s ON s."card" = a."card" AND s.__ord <= epoch_us(a."ts") - 0) r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM __anchors a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor),
l_j1 AS (SELECT r.__anchor, r."limit_" AS __j1_c0
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, s."card", s."limit_"
FROM __with_0 a
JOIN (SELECT r.__seq, 0 AS __ord, r."card", r."limit_"
FROM (SELECT *, rowid AS __seq
FROM "cards") r) s ON s."card" = a.__j0_c0) r
WHERE r.__pos = 1),
__with_1 AS (SELECT a.*, r.__j1_c0
FROM __with_0 a
LEFT JOIN l_j1 r ON r.__anchor = a.__anchor)
SELECT coalesce((a.__j1_c0 > 10), false) AS __keep, CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN a."id" END AS "id", CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN a.__j1_c0 END AS "limit_", CASE WHEN coalesce((a.__j1_c0 > 10), false) THEN (a.__j1_c0 - a."amount") END AS "room"
FROM __with_1 a ORDER BY a.__anchor)
WHERE __keep
