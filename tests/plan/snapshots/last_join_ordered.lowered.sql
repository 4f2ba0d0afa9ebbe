-- one request
WITH l_j0 AS (SELECT first(r."score" ORDER BY r.__pos) FILTER (WHERE (r."score" < a."n") AND r."at" <= a."ts") AS __j0_c0
FROM rows_j0 r, request a),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "score"
FROM __with_0 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."score" AS __j0_c0
FROM rows_j0 r
JOIN request a ON a.__anchor = r.__anchor
WHERE (r."score" < a."n") AND r."at" <= a."ts"
QUALIFY r.__pos = min(r.__pos) OVER (PARTITION BY r.__anchor)),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."id" AS "id", a.__j0_c0 AS "score"
FROM __with_0 a ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH found AS (SELECT r.__anchor, r."score" AS __j0_c0
FROM (SELECT a.__anchor, row_number() OVER (PARTITION BY a.__anchor ORDER BY s.__ord DESC NULLS LAST, s.__seq DESC) AS __pos, s.__seq, s."at", s."card", s."score"
FROM __t0 a
JOIN (SELECT r.__seq, CAST(r."score" AS BIGINT) AS __ord, r."at", r."card", r."score"
FROM (SELECT *, rowid AS __seq
FROM "logins") r) s ON s."card" = a."card") r
JOIN __t0 a ON a.__anchor = r.__anchor
WHERE (r."score" < a."n") AND r."at" <= a."ts"
QUALIFY r.__pos = min(r.__pos) OVER (PARTITION BY r.__anchor))
SELECT a.*, r.__j0_c0
FROM __t0 a
LEFT JOIN found r ON r.__anchor = a.__anchor)
SELECT a."id" AS "id", a.__j0_c0 AS "score"
FROM __t1 a ORDER BY a.__anchor
