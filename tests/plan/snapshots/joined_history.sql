SELECT tx.id, count(DISTINCT c.opened) OVER w AS kinds, sum(n) FILTER (WHERE l.score > 1) OVER w AS good
FROM tx
LAST JOIN logins l ON l.card = tx.card
LAST JOIN cards c ON c.card = tx.card
WINDOW w AS (PARTITION BY mcc ORDER BY tx.ts ROWS_RANGE BETWEEN 1d PRECEDING AND CURRENT ROW)
