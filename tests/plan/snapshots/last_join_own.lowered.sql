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
__t1 AS MATERIALIZED (SELECT a.*, r.__j0_c0
FROM __t0 a
ASOF LEFT JOIN (SELECT r."card" AS __k0, r."amount" AS __j0_c0, r."ts" AS __time, CAST(epoch_us(r."ts") AS HUGEINT) * 9223372036854775808 + r.__seq AS __place
FROM (SELECT *, rowid AS __seq
FROM "tx") r) r ON r.__k0 = a."card" AND CAST(epoch_us(a."ts") AS HUGEINT) * 9223372036854775808 + coalesce(a.__seq, 9223372036854775807) > r.__place)
SELECT a."id" AS "id", a.__j0_c0 AS "before"
FROM __t1 a ORDER BY a.__anchor
