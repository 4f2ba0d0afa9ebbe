-- one request
WITH l_j0 AS (SELECT first(r."device" ORDER BY r.__pos) FILTER (WHERE r.__seq < coalesce(a.__seq, 9223372036854775807)) AS __j0_c0
FROM rows_j0 r, request a),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a , l_j0 r)
SELECT true AS __keep, a."card" AS "card", a."limit_" AS "limit_", a.__j0_c0 AS "device"
FROM __with_0 a

-- many requests
WITH l_j0 AS (SELECT r.__anchor, r."device" AS __j0_c0
FROM rows_j0 r
JOIN request a ON a.__anchor = r.__anchor
WHERE r.__seq < coalesce(a.__seq, 9223372036854775807)
QUALIFY row_number() OVER (PARTITION BY r.__anchor ORDER BY r.__pos) = 1),
__with_0 AS (SELECT a.*, r.__j0_c0
FROM request a
LEFT JOIN l_j0 r ON r.__anchor = a.__anchor)
SELECT true AS __keep, a."card" AS "card", a."limit_" AS "limit_", a.__j0_c0 AS "device"
FROM __with_0 a ORDER BY a.__anchor

-- offline, lookup j0
in the request form

-- plain
-- the anchor cards has no time column: its rows see what arrived before them in other tables, and plain tables do not record that
