SELECT tx.id, l.device, l.score + 1 AS next_score, ts - l.at AS since
FROM tx LAST JOIN logins AS l ON tx.card = l.card
