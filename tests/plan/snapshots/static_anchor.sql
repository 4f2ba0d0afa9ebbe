SELECT cards.card, limit_, device
FROM cards LAST JOIN logins ON cards.card = logins.card
