SELECT tx.id, l.score
FROM tx LAST JOIN logins AS l ORDER BY l.score ON tx.card = l.card AND l.score < tx.n
