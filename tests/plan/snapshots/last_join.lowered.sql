-- one request
WITH l_j0 AS (SELECT first(r."device") FILTER (WHERE r.__pos = 1) AS __j0_c0, first(r."score") FILTER (WHERE r.__pos = 1) AS __j0_c1, first(r."at") FILTER (WHERE r.__pos = 1) AS __j0_c2
FROM rows_j0 r),
__with_0 AS (SELECT a.*, r.__j0_c0, r.__j0_c1, r.__j0_c2
FROM request a , l_j0 r)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "device", (a.__j0_c1 + 1) AS "next_score", (a."ts" - a.__j0_c2) AS "since"
FROM __with_0 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."device" AS __j0_c0, r."score" AS __j0_c1, r."at" AS __j0_c2
FROM rows_j0 r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0, r.__j0_c1, r.__j0_c2
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "device", (a.__j0_c1 + 1) AS "next_score", (a."ts" - a.__j0_c2) AS "since"
FROM __with_0 a ORDER BY a.__anchor

-- offline, lookup j0
SELECT a.*, r.__j0_c0, r.__j0_c1, r.__j0_c2
FROM anchors a
ASOF LEFT JOIN (SELECT r."card" AS __k0, r."device" AS __j0_c0, r."score" AS __j0_c1, r."at" AS __j0_c2, r."at" AS __time
FROM logins r
QUALIFY row_number() OVER (PARTITION BY r."card", r."at" ORDER BY r.__seq DESC) = 1) r ON r.__k0 = a."card" AND a."ts" >= r.__time

-- plain
WITH __anchors AS (SELECT row_number() OVER (ORDER BY __seq) AS __anchor, __seq, "ts", "id", "card"
FROM (SELECT *, rowid AS __seq
FROM "tx"))
SELECT "id", "device", "next_score", "since"
FROM (WITH l_j0 AS (SELECT r.__anchor, r."device" AS __j0_c0, r."score" AS __j0_c1, r."at" AS __j0_c2
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, s."at", s."card", s."device", s."score"
FROM __anchors a
JOIN (SELECT r.__seq, epoch_us(r."at") AS __ord, r."at", r."card", r."device", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r) s ON s."card" = a."card" AND s.__ord <= epoch_us(a."ts") - 0) r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0, r.__j0_c1, r.__j0_c2
FROM __anchors a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "device", (a.__j0_c1 + 1) AS "next_score", (a."ts" - a.__j0_c2) AS "since"
FROM __with_0 a ORDER BY a.__anchor)
WHERE __keep
