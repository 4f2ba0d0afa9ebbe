SELECT tx.id, l.device
FROM tx
LAST JOIN logins l ON l.score = max(n) OVER w
WINDOW w AS (PARTITION BY tx.card ORDER BY ts ROWS 3 PRECEDING)
