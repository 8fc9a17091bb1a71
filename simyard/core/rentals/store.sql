-- name: tariffs
-- What pools that may rent numbers out ask for each period, cheapest first; a pool's own tariff comes before the tariff for all
-- pools. A pool reserved for a service rents nothing out. No countries: all.
SELECT tariff.country, tariff.days, pool.id AS pool_id, pool.kind, pool.supplier_id, pool.share_basis_points,
       tariff.amount, COALESCE(remote.stock, shelf.rentable, 0) AS stock,
       pool.online_until > :now
       AND COALESCE(remote_profile.enabled AND remote_profile.open_until <= :now, true) AS online
  FROM (SELECT DISTINCT ON (rental_price.country, rental_price.days, pool.id)
               rental_price.country, rental_price.days, rental_price.amount, pool.id AS pool_id
          FROM rental_price JOIN pool ON rental_price.pool_id = pool.id OR rental_price.pool_id IS NULL
         WHERE rental_price.country = ANY (:countries::text[]) OR :countries::text[] IS NULL
         ORDER BY rental_price.country, rental_price.days, pool.id, rental_price.pool_id NULLS LAST) AS tariff
  JOIN pool ON pool.id = tariff.pool_id
  LEFT JOIN shelf ON shelf.country = tariff.country AND shelf.pool_id = pool.id
  LEFT JOIN remote_profile ON remote_profile.pool_id = pool.id
 CROSS JOIN LATERAL (
        SELECT sum(remote_offer.stock)::bigint AS stock FROM remote_offer
         WHERE remote_offer.country = tariff.country AND remote_offer.service_id IS NULL
           AND remote_offer.pool_id = pool.id AND remote_offer.operator_name = '') AS remote
 WHERE pool.enabled AND pool.consent IS NOT NULL AND pool.rent_allowed AND pool.reserved_for IS NULL
   -- A pool that must be asked rents out only what it says it does.
   AND (remote_profile.pool_id IS NULL OR remote.stock IS NOT NULL)
 ORDER BY tariff.country, tariff.days, tariff.amount, pool.id;

-- name: extension_tariffs
-- What open rentals may be extended by, at their own pools' tariffs. Not those whose number left its supplier's list or was
-- blocked: it brings no SMS any more (one of a pool that must be asked is on no list). Nor those of accounts that were frozen.
SELECT DISTINCT ON (rental.id, rental_price.days) rental.id AS rental_id, rental.country, rental_price.days,
       pool.id AS pool_id, pool.kind, pool.supplier_id, pool.share_basis_points, rental_price.amount,
       0::bigint AS stock, true AS online
  FROM rental
  JOIN number ON number.id = rental.number_id AND (number.listed OR rental.remote) AND NOT number.blocked
             AND number.pool_id = rental.pool_id
  JOIN account ON account.id = rental.account_id AND account.state = 'active'
  JOIN pool ON pool.id = rental.pool_id
  JOIN rental_price ON rental_price.country = rental.country
                   AND (rental_price.pool_id = pool.id OR rental_price.pool_id IS NULL)
 WHERE rental.id = ANY (:rental_ids::bigint[]) AND rental.is_open
   AND pool.enabled AND pool.consent IS NOT NULL AND pool.rent_allowed
 ORDER BY rental.id, rental_price.days, rental_price.pool_id NULLS LAST;

-- name: set_price
INSERT INTO rental_price (country, days, pool_id, amount, set_at) VALUES (:country, :days, :pool_id, :amount, :now)
ON CONFLICT (country, days, pool_id) DO UPDATE SET amount = excluded.amount, set_at = excluded.set_at;

-- name: unset_price
DELETE FROM rental_price
 WHERE country = :country AND days = :days AND pool_id IS NOT DISTINCT FROM :pool_id RETURNING amount;

-- name: list_prices
SELECT rental_price.country, rental_price.days, rental_price.pool_id, pool.name, rental_price.amount,
       rental_price.set_at
  FROM rental_price LEFT JOIN pool ON pool.id = rental_price.pool_id
 WHERE (:country::text IS NULL OR rental_price.country = :country)
   AND (:pool_id::bigint IS NULL OR rental_price.pool_id = :pool_id)
 ORDER BY rental_price.country, rental_price.days, rental_price.pool_id LIMIT :limit;

-- name: insert_rental
INSERT INTO rental (id, account_id, pool_id, number_id, msisdn, country, state, auto_extend, currency, supplier_id,
                    earning_currency, ordered_at, confirm_by, expires_at, remote)
VALUES (:id, :account_id, :pool_id, :number_id, :msisdn, :country,
        CASE WHEN :number_id::bigint IS NULL THEN 'acquiring' ELSE 'waiting' END, :auto_extend, :currency, :supplier_id,
        :earning_currency, :now, :confirm_by, :expires_at, :number_id::bigint IS NULL);

-- name: lock_acquiring
-- A rental that still waits for its number: whose it is.
SELECT account_id FROM rental WHERE id = :rental_id AND state = 'acquiring' FOR NO KEY UPDATE;

-- name: give_number
UPDATE rental SET number_id = :number_id, msisdn = :msisdn, state = 'waiting'
 WHERE id = :rental_id AND state = 'acquiring';

-- name: insert_periods
-- One more period of each rental.
INSERT INTO rental_period (rental_id, ordinal, days, price, margin, earning, automatic, charged_at)
SELECT rental_id, ordinal, days, price, margin, earning, automatic, :now
  FROM unnest(:rental_ids::bigint[], :ordinals::integer[], :days::smallint[], :prices::bigint[], :margins::bigint[],
              :earnings::bigint[], :automatic::boolean[])
       AS given (rental_id, ordinal, days, price, margin, earning, automatic);

-- name: find
-- Rentals as their buyer may see them, so none without a number: one by its id, or all that are open, oldest first.
SELECT rental.id, rental.msisdn, rental.country, rental.state, rental.auto_extend, rental.currency, charged.price,
       charged.days, rental.messages, rental.ordered_at, rental.confirm_by, rental.confirmed_at, rental.expires_at,
       rental.closed_at, latest.received_at AS last_message_at
  FROM rental
 CROSS JOIN LATERAL (SELECT sum(price)::bigint AS price, sum(days)::bigint AS days FROM rental_period
                      WHERE rental_period.rental_id = rental.id) AS charged
  LEFT JOIN LATERAL (SELECT received_at FROM message WHERE message.rental_id = rental.id
                      ORDER BY message.id DESC LIMIT 1) AS latest ON true
 WHERE rental.account_id = :account_id AND rental.number_id IS NOT NULL
   AND CASE WHEN :rental_id::bigint IS NULL THEN rental.is_open ELSE rental.id = :rental_id END
 ORDER BY rental.id LIMIT :limit;

-- name: number_of
SELECT number_id FROM rental WHERE id = :rental_id AND account_id = :account_id AND number_id IS NOT NULL;

-- name: lock_rentals
SELECT id, account_id, pool_id, number_id, msisdn, country, state, auto_extend, currency, supplier_id, earning_currency,
       ordered_at, confirm_by, expires_at, remote
  FROM rental WHERE id = ANY (:rental_ids::bigint[]) AND number_id IS NOT NULL ORDER BY id FOR NO KEY UPDATE;

-- name: lock_open_on_numbers
-- The open rentals of these numbers, at most one each, locked in the order of their ids.
SELECT id, account_id, pool_id, number_id, msisdn, country, state, auto_extend, currency, supplier_id, earning_currency,
       ordered_at, confirm_by, expires_at, remote
  FROM rental WHERE number_id = ANY (:number_ids::bigint[]) AND is_open ORDER BY id FOR NO KEY UPDATE;

-- name: charged
-- What all periods of each rental have cost.
SELECT rental_id, count(*) AS periods, sum(price)::bigint AS price, sum(margin)::bigint AS margin,
       sum(earning)::bigint AS earning
  FROM rental_period WHERE rental_id = ANY (:rental_ids::bigint[]) GROUP BY rental_id;

-- name: due
SELECT id, number_id FROM rental WHERE is_open AND due_at <= :now ORDER BY due_at LIMIT :limit;

-- name: close
-- Takes rentals from one state to a last one; a row that is no longer where it was is not moved.
UPDATE rental SET state = step.to_state, closed_at = :now
  FROM unnest(:rental_ids::bigint[], :from_states::text[], :to_states::text[]) AS step (rental_id, from_state, to_state)
 WHERE rental.id = step.rental_id AND rental.state = step.from_state
RETURNING rental.id;

-- name: receive
-- Marks what messages did to their rentals: the first confirms.
UPDATE rental
   SET state = 'active', messages = rental.messages + came.count, confirmed_at = COALESCE(rental.confirmed_at, :now)
  FROM unnest(:rental_ids::bigint[], :counts::integer[]) AS came (rental_id, count)
 WHERE rental.id = came.rental_id;

-- name: extend
UPDATE rental SET expires_at = given.expires_at
  FROM unnest(:rental_ids::bigint[], :expires_at::timestamptz[]) AS given (rental_id, expires_at)
 WHERE rental.id = given.rental_id AND rental.state = 'active'
RETURNING rental.id;

-- name: set_auto_extend
UPDATE rental SET auto_extend = :auto_extend
 WHERE id = :rental_id AND account_id = :account_id AND number_id IS NOT NULL
RETURNING is_open AND expires_at > :now;

-- name: sandbox_numbers
-- Where Simyard sends an SMS to confirm rentals of fictitious numbers.
SELECT number_id FROM rental WHERE id = ANY (:lease_ids::bigint[]) AND is_open ORDER BY id;

-- name: count_open_of
-- Of an account that ordered them, or that supplies their numbers.
SELECT count(*) FROM rental WHERE is_open AND (account_id = :account_id OR supplier_id = :account_id);
