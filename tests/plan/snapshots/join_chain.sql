SELECT tx.id, c.limit_, c.limit_ - tx.amount AS room
FROM tx LAST JOIN logins AS l ON tx.card = l.card
        LAST JOIN cards AS c ON l.card = c.card
WHERE c.limit_ > 10
