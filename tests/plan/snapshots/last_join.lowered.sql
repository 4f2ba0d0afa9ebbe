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

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (SELECT a.*, r.__j0_c0, r.__j0_c1, r.__j0_c2
FROM __t0 a
ASOF LEFT JOIN (SELECT r."card" AS __k0, r."device" AS __j0_c0, r."score" AS __j0_c1, r."at" AS __j0_c2, r."at" AS __time
FROM (SELECT *, rowid AS __seq
FROM "logins") r
QUALIFY least(row_number() OVER (PARTITION BY r."card", r."at" ORDER BY r.__seq DESC), 2) = 1) r ON r.__k0 = a."card" AND a."ts" >= r.__time)
SELECT a."id" AS "id", a.__j0_c0 AS "device", (a.__j0_c1 + 1) AS "next_score", (a."ts" - a.__j0_c2) AS "since"
FROM __t1 a ORDER BY a.__anchor
