SELECT tx.id, l.device, l.tries
FROM tx
LAST JOIN (
    SELECT *, count(*) OVER h AS tries FROM logins WHERE score > 1
    WINDOW h AS (PARTITION BY card ORDER BY at)
) AS l ON l.card = tx.card
