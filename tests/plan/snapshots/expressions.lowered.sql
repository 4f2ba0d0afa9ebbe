-- one request
SELECT true AS __keep, ((a."amount" * 2) + coalesce(a."n", 0)) AS "a", (CASE WHEN (a."mcc" = 'food') THEN 1 ELSE 0 END) AS "b", (list_transform(a."tags", lambda "t": UPPER(t))) AS "c", struct_extract(a."place", 'city') AS "d", ((a."ts" - INTERVAL '1 day') < a."ts") AS "e"
FROM request a

-- many requests
SELECT true AS __keep, ((a."amount" * 2) + coalesce(a."n", 0)) AS "a", (CASE WHEN (a."mcc" = 'food') THEN 1 ELSE 0 END) AS "b", (list_transform(a."tags", lambda "t": UPPER(t))) AS "c", struct_extract(a."place", 'city') AS "d", ((a."ts" - INTERVAL '1 day') < a."ts") AS "e"
FROM request a ORDER BY a.__anchor

-- offline, and plain SQL
WITH __t0 AS MATERIALIZED (SELECT r.__seq AS __anchor, r.__seq, r."ts", r."amount", r."n", r."mcc", r."place", r."tags"
FROM (SELECT *, rowid AS __seq
FROM "tx") r)
SELECT ((a."amount" * 2) + coalesce(a."n", 0)) AS "a", (CASE WHEN (a."mcc" = 'food') THEN 1 ELSE 0 END) AS "b", (list_transform(a."tags", lambda "t": UPPER(t))) AS "c", struct_extract(a."place", 'city') AS "d", ((a."ts" - INTERVAL '1 day') < a."ts") AS "e"
FROM __t0 a ORDER BY a.__anchor
