-- one request
WITH l_j0 AS (SELECT first(r."amount") FILTER (WHERE r.__pos = 1) AS __j0_c0
FROM rows_j0 r),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "before"
FROM __with_0 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."amount" AS __j0_c0
FROM rows_j0 r
WHERE r.__pos = 1),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "before"
FROM __with_0 a ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH found AS (SELECT r.__anchor, r."amount" AS __j0_c0
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, s."amount", s."card", s."ts"
FROM __t0 a
JOIN (SELECT r.__seq, epoch_us(r."ts") AS __ord, r."amount", r."card", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r) s ON s."card" = a."card" AND (s.__ord < epoch_us(a."ts") OR s.__ord = epoch_us(a."ts") AND s.__seq < coalesce(a.__seq, 9223372036854775807))) r
WHERE r.__pos = 1)
SELECT a.*, r.__j0_c0
FROM __t0 a
LEFT JOIN found r ON r.__anchor = a.__anchor)
SELECT a."id" AS "id", a.__j0_c0 AS "before"
FROM __t1 a ORDER BY a.__anchor
