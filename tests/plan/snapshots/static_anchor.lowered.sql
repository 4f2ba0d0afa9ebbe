-- one request
WITH l_j0 AS (SELECT first(r."limit_" ORDER BY r.__pos) FILTER (WHERE r.__seq < coalesce(a.__seq, 9223372036854775807)) AS __j0_c0
FROM rows_j0 r, request a),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r)
SELECT true AS __keep, a."card" AS "card", a."limit_" AS "limit_", a.__j0_c0 AS "before"
FROM __with_0 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."limit_" AS __j0_c0
FROM rows_j0 r
JOIN request a ON a.__anchor = r.__anchor
WHERE r.__seq < coalesce(a.__seq, 9223372036854775807)
QUALIFY r.__pos = min(r.__pos) OVER (PARTITION BY r.__anchor)),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."card" AS "card", a."limit_" AS "limit_", a.__j0_c0 AS "before"
FROM __with_0 a ORDER BY a.__anchor

-- offline, lookup j0
in the request form

-- plain
WITH __anchors AS (SELECT row_number() OVER (ORDER BY __seq) AS __anchor, __seq, "card", "limit_"
FROM (SELECT *, rowid AS __seq
FROM "cards"))
SELECT "card", "limit_", "before"
FROM (WITH l_j0 AS (SELECT r.__anchor, r."limit_" AS __j0_c0
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, s."card", s."limit_"
FROM __anchors a
JOIN (SELECT r.__seq, 0 AS __ord, r."card", r."limit_"
FROM (SELECT *, rowid AS __seq
FROM "cards") r) s ON s."card" = a."card") r
JOIN __anchors a ON a.__anchor = r.__anchor
WHERE r.__seq < coalesce(a.__seq, 9223372036854775807)
QUALIFY r.__pos = min(r.__pos) OVER (PARTITION BY r.__anchor)),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM __anchors a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."card" AS "card", a."limit_" AS "limit_", a.__j0_c0 AS "before"
FROM __with_0 a ORDER BY a.__anchor)
WHERE __keep
