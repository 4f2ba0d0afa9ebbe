SELECT id, count(*) OVER w AS known_rates, max(rate) OVER o AS most, p.paid AS paid
FROM tx
LAST JOIN payouts p ON p.card = tx.card
WINDOW w AS (FROM rates PARTITION BY card ORDER BY at ROWS_RANGE BETWEEN 7d PRECEDING AND CURRENT ROW),
       o AS (FROM rates PARTITION BY card ORDER BY n ROWS BETWEEN 3 PRECEDING AND CURRENT ROW)
