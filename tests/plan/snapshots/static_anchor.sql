SELECT c.card, c.limit_, p.limit_ AS before
FROM cards AS c LAST JOIN cards AS p ON c.card = p.card
