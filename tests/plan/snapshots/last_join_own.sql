SELECT tx.id, p.amount AS before
FROM tx LAST JOIN tx AS p ON tx.card = p.card
