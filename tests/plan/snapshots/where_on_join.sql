SELECT id, count(*) OVER w AS rich
FROM tx
LAST JOIN cards c ON c.card = tx.card
WHERE c.limit_ > 100
WINDOW w AS (PARTITION BY tx.card ORDER BY ts)
