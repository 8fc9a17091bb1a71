-- name: set_profile
-- A new address or key is a new start: earlier failures say nothing about it.
INSERT INTO remote_profile (pool_id, protocol, url, key, key_in_digest, switches, enabled, stock_due_at, poll_due_at)
VALUES (:pool_id, :protocol, :url, :key, :key_in_digest, :switches::text::jsonb, true, :now, :now)
ON CONFLICT (pool_id) DO UPDATE
   SET protocol = excluded.protocol, url = excluded.url, key = excluded.key,
       key_in_digest = COALESCE(excluded.key_in_digest, remote_profile.key_in_digest), switches = excluded.switches,
       stock_due_at = excluded.stock_due_at, poll_due_at = excluded.poll_due_at, failures = 0,
       open_until = '-infinity', failure = NULL, failed_at = NULL;

-- name: profiles
-- One pool's, or all.
SELECT pool.id AS pool_id, pool.name, pool.kind, pool.supplier_id, pool.rent_allowed,
       NULLIF(pool.online_until, '-infinity') AS online_until,
       profile.protocol, profile.url, profile.key, profile.switches::text AS switches, profile.enabled,
       profile.stocked_at, profile.stock_problem, profile.balance, profile.failures,
       NULLIF(profile.open_until, '-infinity') AS open_until,
       profile.failed_at, profile.failure
  FROM remote_profile AS profile JOIN pool ON pool.id = profile.pool_id
 WHERE COALESCE(profile.pool_id = :pool_id, true)
 ORDER BY pool.id;

-- name: pool_of_key_in
SELECT pool_id FROM remote_profile WHERE key_in_digest = :digest;

-- name: claim_stock_rounds
-- Whoever takes a round sets the next one: a round that was cut off is made up for by it. A profile may want more rounds.
UPDATE remote_profile
   SET stock_due_at = LEAST(:next_at::timestamptz, :now::timestamptz
                            + make_interval(secs => (switches ->> 'poll_seconds')::float8))
 WHERE pool_id IN (SELECT profile.pool_id FROM remote_profile AS profile JOIN pool ON pool.id = profile.pool_id
                    WHERE profile.enabled AND pool.enabled AND profile.stock_due_at <= :now
                    ORDER BY profile.stock_due_at LIMIT :limit FOR NO KEY UPDATE OF profile SKIP LOCKED)
RETURNING pool_id;

-- name: claim_polls
-- Pools that hold numbers for us; whether they must be asked for messages their protocol knows.
UPDATE remote_profile SET poll_due_at = :next_at
 WHERE pool_id IN (SELECT profile.pool_id FROM remote_profile AS profile
                    WHERE profile.poll_due_at <= :now
                      AND EXISTS (SELECT FROM remote_lease WHERE remote_lease.pool_id = profile.pool_id
                                                             AND remote_lease.state = 'held')
                    ORDER BY profile.poll_due_at LIMIT :limit FOR NO KEY UPDATE OF profile SKIP LOCKED)
RETURNING pool_id;

-- name: set_poll_due
UPDATE remote_profile SET poll_due_at = :due_at WHERE pool_id = :pool_id;

-- name: held
SELECT lease_id, remote_id, msisdn FROM remote_lease
 WHERE pool_id = :pool_id AND state = 'held' ORDER BY id LIMIT :limit;

-- name: list_offers
-- Writes what a source has that is new or changed.
INSERT INTO remote_offer (pool_id, country_name, service_name, operator_name, country, service_id, operator_id, price,
                          stock)
SELECT :pool_id, offer.* FROM unnest(:country_names::text[], :service_names::text[], :operator_names::text[],
                                     :countries::text[], :service_ids::smallint[], :operator_ids::integer[],
                                     :prices::bigint[], :stocks::integer[])
       AS offer (country_name, service_name, operator_name, country, service_id, operator_id, price, stock)
ON CONFLICT (pool_id, country_name, service_name, operator_name) DO UPDATE
   SET country = excluded.country, service_id = excluded.service_id, operator_id = excluded.operator_id,
       price = excluded.price, stock = excluded.stock
 WHERE (remote_offer.country, remote_offer.service_id, remote_offer.operator_id, remote_offer.price, remote_offer.stock)
       IS DISTINCT FROM
       (excluded.country, excluded.service_id, excluded.operator_id, excluded.price, excluded.stock);

-- name: drop_offers
-- What a source has no more.
DELETE FROM remote_offer
 WHERE pool_id = :pool_id
   AND NOT EXISTS (SELECT FROM unnest(:country_names::text[], :service_names::text[], :operator_names::text[])
                       AS offer (country_name, service_name, operator_name)
                    WHERE offer.country_name = remote_offer.country_name
                      AND offer.service_name = remote_offer.service_name
                      AND offer.operator_name = remote_offer.operator_name);

-- name: count_unknown
INSERT INTO remote_unknown_name (pool_id, kind, name, count, first_seen_at, last_seen_at)
SELECT :pool_id, unknown.kind, unknown.name, 1, :now, :now
  FROM unnest(:kinds::text[], :names::text[]) AS unknown (kind, name) ORDER BY kind, name
ON CONFLICT (pool_id, kind, name) DO UPDATE
   SET count = remote_unknown_name.count + 1, last_seen_at = excluded.last_seen_at;

-- name: unknown_names
SELECT pool_id, kind, name, count, first_seen_at, last_seen_at FROM remote_unknown_name
 WHERE COALESCE(pool_id = :pool_id, true) ORDER BY pool_id, kind, count DESC, name LIMIT :limit;

-- name: mark_stocked
UPDATE remote_profile SET stocked_at = :now, stock_problem = NULL, balance = :balance WHERE pool_id = :pool_id;

-- name: mark_not_stocked
UPDATE remote_profile SET stock_problem = :problem WHERE pool_id = :pool_id;

-- name: choose
-- For each want the source's own names of what it would be asked for; none where it has nothing for the price. The room:
-- how many numbers more its pool can lend, where that has a limit.
SELECT want.ordinal, offer.country_name, offer.service_name, offer.operator_name, profile.failures,
       CASE WHEN profile.switches ? 'ports'
            THEN (profile.switches ->> 'ports')::integer
                 - (SELECT count(*) FROM remote_lease
                     WHERE remote_lease.pool_id = profile.pool_id AND remote_lease.state IN ('asking', 'held', 'finishing'))
            END AS room
  FROM unnest(:pool_ids::bigint[], :countries::text[], :service_ids::smallint[], :operator_ids::integer[],
              :cost_maxima::bigint[])
       WITH ORDINALITY AS want (pool_id, country, service_id, operator_id, cost_max, ordinal)
  JOIN remote_profile AS profile ON profile.pool_id = want.pool_id AND profile.enabled AND profile.open_until <= :now
 CROSS JOIN LATERAL (
       SELECT remote_offer.country_name, remote_offer.service_name, remote_offer.operator_name FROM remote_offer
        WHERE remote_offer.country = want.country
          AND (remote_offer.service_id = want.service_id
               OR (want.service_id IS NULL AND remote_offer.service_id IS NULL))
          AND remote_offer.pool_id = want.pool_id AND remote_offer.stock > 0
          AND CASE WHEN want.operator_id IS NULL THEN remote_offer.operator_name = ''
                   ELSE remote_offer.operator_id = want.operator_id END
          AND COALESCE(remote_offer.price <= want.cost_max, true)
        ORDER BY remote_offer.price NULLS LAST, remote_offer.stock DESC, remote_offer.country_name,
                 remote_offer.service_name, remote_offer.operator_name
        LIMIT 1) AS offer
 -- Whose supplier is being erased is waited for, and gone then.
   FOR KEY SHARE OF profile;

-- name: take_probes
-- Pools that failed too often and may be tried once more: by whoever gets here first.
UPDATE remote_profile SET open_until = :until
 WHERE pool_id IN (SELECT pool_id FROM remote_profile
                    WHERE pool_id = ANY (:pool_ids::bigint[]) AND open_until <= :now
                    ORDER BY pool_id FOR NO KEY UPDATE SKIP LOCKED)
RETURNING pool_id;

-- name: note_failure
UPDATE remote_profile
   SET failures = failures + 1, failed_at = :now, failure = :failure,
       open_until = CASE WHEN failures + 1 >= :failures_max THEN :until ELSE open_until END
 WHERE pool_id = :pool_id;

-- name: sell_out
UPDATE remote_offer SET stock = 0
 WHERE pool_id = :pool_id AND country_name = :country_name AND service_name = :service_name
   AND operator_name = :operator_name AND stock > 0;

-- name: note_success
UPDATE remote_profile SET failures = 0, open_until = '-infinity'
 WHERE pool_id = :pool_id AND failures > 0;

-- name: begin
INSERT INTO remote_lease (lease_id, pool_id, state, wish, amount, currency, choosy, asked_at, changed_at, due_at)
SELECT lease_id, pool_id, 'asking', wish, amount, currency, choosy, :now, :now, :due_at
  FROM unnest(:lease_ids::bigint[], :pool_ids::bigint[], :wishes::bytea[], :amounts::bigint[], :currencies::text[],
              :choosy::boolean[])
       AS given (lease_id, pool_id, wish, amount, currency, choosy);

-- name: forget_asking
DELETE FROM remote_lease WHERE lease_id = :lease_id AND state = 'asking';

-- name: next_lease_ids
SELECT nextval('lease_id') AS id FROM generate_series(1, :count);

-- name: remote_id_in_use
SELECT EXISTS (SELECT FROM remote_lease WHERE pool_id = :pool_id AND remote_id = :remote_id
                                          AND state IN ('held', 'finishing'));

-- name: hold
UPDATE remote_lease SET state = 'held', remote_id = :remote_id, msisdn = :msisdn, cost = :cost, changed_at = :now,
                        due_at = 'infinity', tries = 0
 WHERE lease_id = :lease_id AND state = 'asking' AND remote_id IS NULL
RETURNING id;

-- name: give_back
-- A number that came for a lease that cannot have it. One that was given back already is not given back again.
UPDATE remote_lease SET state = 'finishing', remote_id = :remote_id, msisdn = :msisdn, cost = :cost, ending = :ending,
                        changed_at = :now, due_at = :now, tries = 0, problem = NULL
 WHERE id = (SELECT id FROM remote_lease WHERE lease_id = :lease_id AND remote_id IS NULL ORDER BY id LIMIT 1
                FOR NO KEY UPDATE)
RETURNING id;

-- name: give_back_another
-- A second number that turned up for the same lease.
INSERT INTO remote_lease (lease_id, pool_id, state, wish, remote_id, msisdn, cost, amount, currency, ending, asked_at,
                          changed_at, due_at)
SELECT lease_id, pool_id, 'finishing', wish, :remote_id, :msisdn, :cost, amount, currency, :ending, asked_at, :now, :now
  FROM remote_lease WHERE lease_id = :lease_id ORDER BY id LIMIT 1;

-- name: lock_profile
SELECT pool_id FROM remote_profile WHERE pool_id = :pool_id FOR NO KEY UPDATE;

-- name: known_remote_ids
SELECT DISTINCT remote_id FROM remote_lease
 WHERE pool_id = :pool_id AND remote_id = ANY (:remote_ids::text[]) AND asked_at >= :since;

-- name: asking_besides
-- Whether another order of this pool is on its way, whose number could be taken for one that nobody wants.
SELECT EXISTS (SELECT FROM remote_lease WHERE pool_id = :pool_id AND state = 'asking');

-- name: is_asking
SELECT EXISTS (SELECT FROM remote_lease JOIN pool ON pool.id = remote_lease.pool_id
                WHERE remote_lease.state = 'asking' AND pool.supplier_id = :supplier_id
                  AND COALESCE(pool.id = :pool_id, true));

-- name: set_state
UPDATE remote_lease SET state = :state, due_at = COALESCE(:due_at::timestamptz, 'infinity'), changed_at = :now, tries = 0,
                        problem = :problem
 WHERE lease_id = :lease_id AND state = 'asking';

-- name: end
UPDATE remote_lease SET state = 'finishing', ending = given.ending, amount = COALESCE(given.amount, remote_lease.amount),
                        changed_at = :now, due_at = :now, tries = 0
  FROM unnest(:lease_ids::bigint[], :endings::text[], :amounts::bigint[]) AS given (lease_id, ending, amount)
 WHERE remote_lease.lease_id = given.lease_id AND remote_lease.state = 'held';

-- name: refund
-- What was sold is taken back; also while the source has not been told yet that it was sold.
UPDATE remote_lease SET state = 'finishing', ending = 'refunded', changed_at = :now, due_at = :now, tries = 0
 WHERE lease_id = :lease_id AND remote_id IS NOT NULL AND (ending = 'sold' OR state = 'held')
RETURNING id;

-- name: want_next
UPDATE remote_lease SET next_wanted = true, due_at = :now, tries = 0 WHERE lease_id = :lease_id AND state = 'held';

-- name: claim_due
-- Takes what is due, so many of each pool, so that one that hangs costs the others nothing.
WITH due AS (
    SELECT id, pool_id, due_at, row_number() OVER (PARTITION BY pool_id ORDER BY due_at, id) AS place
      FROM remote_lease WHERE due_at < 'infinity' AND due_at <= :now
), chosen AS (
    SELECT due.id FROM due
      LEFT JOIN unnest(:in_flight_ids::bigint[], :in_flight_counts::integer[]) AS in_flight (pool_id, count)
             ON in_flight.pool_id = due.pool_id
     WHERE due.place <= :per_pool_max - COALESCE(in_flight.count, 0)
     ORDER BY due.due_at, due.id LIMIT :limit
), locked AS (
    SELECT remote_lease.id FROM remote_lease JOIN chosen ON chosen.id = remote_lease.id
     WHERE remote_lease.due_at <= :now
       FOR NO KEY UPDATE OF remote_lease SKIP LOCKED
)
UPDATE remote_lease SET due_at = :claimed_until
  FROM locked WHERE remote_lease.id = locked.id
RETURNING remote_lease.id, lease_id, pool_id, state, wish, remote_id, amount, currency, ending, next_wanted, asked_at,
          changed_at, tries,
          (SELECT (switches ->> 'finish_retry_seconds')::float8 FROM remote_profile
            WHERE remote_profile.pool_id = remote_lease.pool_id) AS retry_seconds;

-- name: record_finished
-- Unless it has to end in another way meanwhile.
UPDATE remote_lease SET state = 'done', due_at = 'infinity', changed_at = :now, problem = NULL
 WHERE id = :id AND state = 'finishing' AND ending = :ending;

-- name: record_not_finished
UPDATE remote_lease SET tries = tries + 1, due_at = COALESCE(:due_at::timestamptz, 'infinity'), problem = :problem,
                        state = CASE WHEN :gives_up THEN 'done' ELSE state END
 WHERE id = :id AND state = 'finishing' AND ending = :ending;

-- name: record_next_requested
UPDATE remote_lease SET next_wanted = false, due_at = 'infinity', tries = 0 WHERE id = :id AND state = 'held';

-- name: record_next_not_requested
UPDATE remote_lease SET tries = tries + 1, due_at = :due_at WHERE id = :id AND state = 'held' AND next_wanted;

-- name: settle
-- What became of an order nobody knows the outcome of.
UPDATE remote_lease SET state = 'done', due_at = 'infinity', changed_at = :now, problem = :problem
 WHERE id = :id AND state = 'ambiguous' AND remote_id IS NULL;

-- name: look_later
UPDATE remote_lease SET tries = tries + 1, due_at = :due_at WHERE id = :id AND state = 'ambiguous';

-- name: problems
SELECT remote_lease.id, remote_lease.lease_id, remote_lease.pool_id, pool.name AS pool_name, remote_lease.state,
       remote_lease.ending, remote_lease.remote_id, remote_lease.asked_at, remote_lease.changed_at, remote_lease.problem
  FROM remote_lease JOIN pool ON pool.id = remote_lease.pool_id
 WHERE remote_lease.problem IS NOT NULL AND COALESCE(remote_lease.pool_id = :pool_id, true)
 ORDER BY remote_lease.changed_at DESC, remote_lease.id DESC LIMIT :limit;

-- name: clear_problem
UPDATE remote_lease SET problem = NULL WHERE id = :id AND problem IS NOT NULL RETURNING lease_id;

-- name: forget_leases
DELETE FROM remote_lease
 WHERE id IN (SELECT id FROM remote_lease
               WHERE state = 'done' AND problem IS NULL AND ending IS DISTINCT FROM 'sold' AND changed_at < :before
               ORDER BY changed_at LIMIT :limit FOR UPDATE SKIP LOCKED)
RETURNING id;

-- name: lock_profiles
SELECT pool_id FROM remote_profile WHERE pool_id = ANY (:pool_ids::bigint[]) ORDER BY pool_id FOR UPDATE;

-- name: count_unsettled
SELECT count(*) FROM remote_lease WHERE pool_id = ANY (:pool_ids::bigint[]) AND state <> 'done';

-- name: delete_profiles
DELETE FROM remote_profile WHERE pool_id = ANY (:pool_ids::bigint[]);

-- name: delete_offers
DELETE FROM remote_offer WHERE pool_id = ANY (:pool_ids::bigint[]);

-- name: delete_unknown_names
DELETE FROM remote_unknown_name WHERE pool_id = ANY (:pool_ids::bigint[]);

-- name: clear_problems
-- What a source said in words.
UPDATE remote_lease SET problem = NULL WHERE pool_id = ANY (:pool_ids::bigint[]) AND problem IS NOT NULL;
