SELECT id, g.logins, g.best / 2 AS half
FROM tx
LAST JOIN (SELECT card, count(*) AS logins, max(score) AS best FROM logins WHERE device = 'web' GROUP BY card) AS g
     ON g.card = tx.card
