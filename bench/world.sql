-- name: add_numbers
-- Numbers as a supplier's reports leave them, in one stretch of the queue.
INSERT INTO number (msisdn, pool_id, country, port, listed, position)
SELECT '+1' || (:first::bigint + n), :pool_id, :country, 'port-' || n, true, pg_current_xact_id()::text::bigint
  FROM generate_series(0, :count::bigint - 1) AS n;

-- name: open_activations
-- Leases the first numbers of a pool to the buyers in turn, at one price.
WITH taken AS (
    SELECT number.*, row_number() OVER (ORDER BY id) AS ordinal FROM number
     WHERE pool_id = :pool_id AND available ORDER BY id LIMIT :count
), opened AS (
    INSERT INTO activation (account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label,
                            state, price, currency, margin, earning, earning_currency, supplier_id, ordered_at, expires_at)
    SELECT (:buyer_ids::bigint[])[1 + ordinal % cardinality(:buyer_ids::bigint[])], pool_id, id, msisdn, country,
           :service_id, 'bench', 'bench', 'waiting', :price, 'USD', :margin, :price::bigint - :margin::bigint, 'USD',
           :supplier_id, :now, :now::timestamptz + interval '1 day'
      FROM taken
    RETURNING id, number_id, account_id, msisdn
), leased AS (
    UPDATE number SET lease_id = opened.id FROM opened WHERE number.id = opened.number_id
)
SELECT id, account_id, msisdn FROM opened ORDER BY id;

-- name: hold_prices
-- Books the prices of open activations that were not booked yet.
WITH held AS (
    INSERT INTO transfer (reference, kind, debit_id, credit_id, currency, amount, created_at)
    SELECT 'activation/' || activation.id || '/hold', 'hold', wallet.available_id, wallet.held_id, wallet.currency,
           activation.price, :now
      FROM activation JOIN wallet ON wallet.account_id = activation.account_id
     WHERE activation.is_open
    ON CONFLICT (reference) DO NOTHING
    RETURNING debit_id, amount
), total AS (
    SELECT debit_id, sum(amount) AS amount FROM held GROUP BY debit_id
)
UPDATE wallet SET available = available - total.amount, held = held + total.amount
  FROM total WHERE wallet.available_id = total.debit_id;

-- name: bounds
SELECT min(id) AS first, max(id) AS last FROM number WHERE pool_id = :pool_id;

-- name: use_up
-- Marks a stretch of a pool's numbers as used for a service by closed activations, but for one in so many (0: none).
INSERT INTO activation (account_id, pool_id, number_id, msisdn, country, service_id, service_label, country_label, state,
                        price, currency, margin, earning, earning_currency, supplier_id, code, messages,
                        ordered_at, expires_at, received_at, closed_at)
SELECT :buyer_id, pool_id, id, msisdn, country, :service_id, 'bench', 'bench', 'finished', 0, 'USD', 0, 0, 'USD',
       :supplier_id, '123456', 1, :now, :now, :now, :now
  FROM number
 WHERE pool_id = :pool_id AND id BETWEEN :first AND :last
   AND (:one_free_in = 0 OR abs(hashint8(id)::bigint) % NULLIF(:one_free_in::integer, 0) <> 0);

-- name: count_shelf
-- What the stock count would have found by now.
INSERT INTO shelf (pool_id, country, available)
SELECT pool_id, country, count(*) FROM number WHERE available GROUP BY pool_id, country;

-- name: count_used
INSERT INTO shelf_used (pool_id, country, service_id, used)
SELECT number.pool_id, number.country, activation.service_id, count(*)
  FROM activation JOIN number ON number.id = activation.number_id
 WHERE number.available AND NOT activation.repeatable
 GROUP BY number.pool_id, number.country, activation.service_id;

-- name: count_numbers
INSERT INTO stock_counted (number_id, pool_id, country, through)
SELECT id, pool_id, country, (SELECT COALESCE(max(activation.id), 0) FROM activation) FROM number WHERE available;

-- name: free_numbers
-- Numbers of a pool a service can still be sold on.
SELECT count(*) FROM number
 WHERE pool_id = :pool_id AND available
   AND NOT EXISTS (SELECT FROM activation
                    WHERE activation.number_id = number.id AND activation.service_id = :service_id);

-- name: activation_count
SELECT count(*) FROM activation WHERE pool_id = :pool_id;

-- name: message_count
SELECT count(*) FROM message;
