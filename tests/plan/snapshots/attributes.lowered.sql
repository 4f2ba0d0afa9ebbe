-- one request
WITH r_s0 AS (SELECT r.*, min(CASE WHEN r.__age >= 3600000000 THEN r.__pos END) OVER () AS __first_w0
FROM rows_s0 r),
g_s0 AS (SELECT sum(CASE WHEN r.__pos >= 0 AND r.__age >= 3600000000 AND r.__age <= 86400000000 AND r.__pos < r.__first_w0 + 3 THEN r."amount" END) AS __a0, first(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos >= 2 AND r.__pos <= 2) AS __a1, min(CASE WHEN r.__pos >= 1 AND r.__pos <= 9 AND r.__pos < 1 + 4 THEN r."n" END) AS __a2
FROM r_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "s", __a1 AS "second", __a2 AS "m"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT r.*, min(CASE WHEN r.__age >= 3600000000 THEN r.__pos END) OVER (PARTITION BY r.__anchor) AS __first_w0
FROM (SELECT r.__anchor, r.__pos, r.__age, r."amount", r."card", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."amount", a."card", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, sum(CASE WHEN r.__pos >= 0 AND r.__age >= 3600000000 AND r.__age <= 86400000000 AND r.__pos < r.__first_w0 + 3 THEN r."amount" END) AS __a0, first(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos >= 2 AND r.__pos <= 2) AS __a1, min(CASE WHEN r.__pos >= 1 AND r.__pos <= 9 AND r.__pos < 1 + 4 THEN r."n" END) AS __a2
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "s", __a1 AS "second", __a2 AS "m"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."amount", r."n"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."amount", r."card", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN true THEN 1 END) OVER (PARTITION BY __k0, __alone ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 3600000000 PRECEDING) END AS __older_3600000000, CASE WHEN __ord IS NULL THEN 0 ELSE count(CASE WHEN true THEN 1 END) OVER (PARTITION BY __k0, __alone ORDER BY __ord NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000001 PRECEDING) END AS __older_86400000001
FROM s),
b AS (SELECT *, CASE WHEN (greatest(greatest(__older_86400000001 + 1, 1), (__older_3600000000) - 3 + 1)) > (__older_3600000000) THEN __q + 1 ELSE __q - (greatest(greatest(__older_86400000001 + 1, 1), (__older_3600000000) - 3 + 1)) END AS __from_w0, CASE WHEN (greatest(greatest(__older_86400000001 + 1, 1), (__older_3600000000) - 3 + 1)) > (__older_3600000000) THEN __q + 1 ELSE __q - (__older_3600000000) END AS __to_w0, CASE WHEN (greatest(__q - 2, 1)) > (__q - 2) THEN __q + 1 ELSE __q - (greatest(__q - 2, 1)) END AS __from_w1, CASE WHEN (greatest(__q - 2, 1)) > (__q - 2) THEN __q + 1 ELSE __q - (__q - 2) END AS __to_w1, CASE WHEN (greatest(greatest(__q - 9, 1), (least(__q - 0, __q - 1)) - 4 + 1)) > (least(__q - 0, __q - 1)) THEN __q + 1 ELSE __q - (greatest(greatest(__q - 9, 1), (least(__q - 0, __q - 1)) - 4 + 1)) END AS __from_w2, CASE WHEN (greatest(greatest(__q - 9, 1), (least(__q - 0, __q - 1)) - 4 + 1)) > (least(__q - 0, __q - 1)) THEN __q + 1 ELSE __q - (least(__q - 0, __q - 1)) END AS __to_w2
FROM n),
v AS (SELECT __seq, sum(r."amount") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0, first_value(r."amount") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w1 PRECEDING AND __to_w1 PRECEDING) AS __a1, min(r."n") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w2 PRECEDING AND __to_w2 PRECEDING) AS __a2
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq)
SELECT a."id" AS "id", __a0 AS "s", __a1 AS "second", __a2 AS "m"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
