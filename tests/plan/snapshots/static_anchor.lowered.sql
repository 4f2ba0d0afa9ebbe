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

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."card", r."limit_"
FROM (SELECT *, rowid AS __seq
FROM "cards") r),
__t1 AS MATERIALIZED (WITH o AS (SELECT r.*, 0 AS __ord
FROM (SELECT *, rowid AS __seq
FROM "cards") r),
s AS MATERIALIZED (SELECT *, row_number() OVER (ORDER BY __ord NULLS FIRST, __seq) AS __n
FROM o),
f AS (SELECT a.__anchor, max(r.__n) AS __n
FROM __t0 a
JOIN s r ON r."card" = a."card" AND r.__seq < coalesce(a.__seq, 9223372036854775807)
GROUP BY a.__anchor)
SELECT a.*, CASE WHEN f.__n IS NOT NULL THEN r."limit_" END AS __j0_c0
FROM __t0 a
LEFT JOIN f ON f.__anchor = a.__anchor
LEFT JOIN s r ON r.__n = f.__n)
SELECT a."card" AS "card", a."limit_" AS "limit_", a.__j0_c0 AS "before"
FROM __t1 a ORDER BY a.__anchor
