SELECT amount * 2 + coalesce(n, 0) AS a, CASE WHEN mcc = 'food' THEN 1 ELSE 0 END AS b,
       list_transform(tags, t -> upper(t)) AS c, place.city AS d, ts - INTERVAL 1 DAY < now() AS e
FROM tx
