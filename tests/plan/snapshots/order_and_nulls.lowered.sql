-- one request
WITH g_s0 AS (SELECT list(r."n" ORDER BY r."amount" DESC NULLS LAST, r."id" NULLS LAST, r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a0, string_agg(r."mcc", '|' ORDER BY r."n" NULLS LAST, r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a1, last(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5 AND (NOT (r."amount" IS NULL))) AS __a2, first(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a3, list(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a4, quantile_cont(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN r."n" END, 0.5) AS __a5
FROM rows_s0 r)
SELECT true AS __keep, a."id" AS "id", __a0 AS "sorted", __a1 AS "text", __a2 AS "known", __a3 AS "oldest", (__a4[2]) AS "second", __a5 AS "middle"
FROM request a, g_s0

-- many requests
WITH r_s0 AS (SELECT *
FROM (SELECT r.__anchor, r.__pos, r.__age, r."amount", r."card", r."id", r."mcc", r."n", r."ts"
FROM rows_s0 r
UNION ALL SELECT a.__anchor, 0 AS __pos, 0 AS __age, a."amount", a."card", a."id", a."mcc", a."n", a."ts"
FROM request a) r),
g_s0 AS (SELECT a.__anchor, list(r."n" ORDER BY r."amount" DESC NULLS LAST, r."id" NULLS LAST, r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a0, string_agg(r."mcc", '|' ORDER BY r."n" NULLS LAST, r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a1, last(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5 AND (NOT (r."amount" IS NULL))) AS __a2, first(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a3, list(r."amount" ORDER BY r.__pos DESC) FILTER (WHERE r.__pos >= 0 AND r.__pos <= 5) AS __a4, quantile_cont(CASE WHEN r.__pos >= 0 AND r.__pos <= 5 THEN r."n" END, 0.5) AS __a5
FROM request a
LEFT JOIN r_s0 r ON r.__anchor = a.__anchor
GROUP BY a.__anchor)
SELECT true AS __keep, a."id" AS "id", __a0 AS "sorted", __a1 AS "text", __a2 AS "known", __a3 AS "oldest", (__a4[2]) AS "second", __a5 AS "middle"
FROM request a
JOIN g_s0 ON g_s0.__anchor = a.__anchor ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."id", r."card", r."amount", r."n", r."mcc"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
__t1 AS MATERIALIZED (WITH s AS (SELECT r.__seq, epoch_us(r."ts") AS __ord, CASE WHEN r."ts" IS NULL THEN r.__seq END AS __alone, r."card" AS __k0, r."amount", r."card", r."id", r."mcc", r."n", r."ts"
FROM (SELECT *, rowid AS __seq
FROM "tx") r),
n AS (SELECT *, row_number() OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq) AS __q
FROM s),
b AS (SELECT *, CASE WHEN (greatest(__q - 5, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (greatest(__q - 5, 1)) END AS __from_w0, CASE WHEN (greatest(__q - 5, 1)) > (__q - 0) THEN __q + 1 ELSE __q - (__q - 0) END AS __to_w0
FROM n),
v AS (SELECT __seq, list(r."n" ORDER BY r."amount" DESC NULLS LAST, r."id" NULLS LAST, r.__q) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a0, string_agg(r."mcc", '|' ORDER BY r."n" NULLS LAST, r.__q) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a1, (list(r."amount") FILTER (WHERE (NOT (r."amount" IS NULL))) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING))[-1] AS __a2, first_value(r."amount") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a3, list(r."amount") OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a4, quantile_cont(r."n", 0.5) OVER (PARTITION BY __k0, __alone ORDER BY __ord, __seq ROWS BETWEEN __from_w0 PRECEDING AND __to_w0 PRECEDING) AS __a5
FROM b r)
SELECT a.__anchor, v.* EXCLUDE (__seq)
FROM __t0 a
JOIN v ON v.__seq = a.__seq)
SELECT a."id" AS "id", __a0 AS "sorted", __a1 AS "text", __a2 AS "known", __a3 AS "oldest", (__a4[2]) AS "second", __a5 AS "middle"
FROM __t0 a
JOIN __t1 s0 ON s0.__anchor = a.__anchor ORDER BY a.__anchor
