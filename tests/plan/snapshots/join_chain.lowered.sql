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

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."amount"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT a.*, r.__j0_c0
FROM __t0 a
ASOF LEFT JOIN (SELECT r."card" AS __k0, r."card" AS __j0_c0, r."at" AS __time
FROM (SELECT *, rowid AS __seq
FROM "logins") r
QUALIFY least(row_number() OVER (PARTITION BY r."card", r."at" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a."card" AND a."ts" >= r.__time),
__t2 AS MATERIALIZED (SELECT a.*, r.__j1_c0
FROM __t1 a
LEFT JOIN (SELECT r."card" AS __k0, r."limit_" AS __j1_c0
FROM (SELECT *, rowid AS __seq
FROM "cards") r
QUALIFY least(row_number() OVER (PARTITION BY r."card" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a.__j0_c0)
SELECT a."id" AS "id", a.__j1_c0 AS "limit_", (a.__j1_c0 - a."amount") AS "room"
FROM __t2 a
WHERE (a.__j1_c0 > 10) ORDER BY a.__anchor
