-- name: insert_gateway
INSERT INTO gateway (name, kind, pool_id, token_digest, secret, networks, time_zone, country, options, stocks,
                     created_at)
VALUES (:name, :kind, :pool_id, :token_digest, :secret, :networks, :time_zone, :country, :options, :stocks, :now)
RETURNING id;

-- name: find_by_token
-- A gateway whose supplier is frozen is off with him.
SELECT gateway.*, pool.supplier_id, gateway.enabled AND account.state = 'active' AS may_speak
  FROM gateway JOIN pool ON pool.id = gateway.pool_id JOIN account ON account.id = pool.supplier_id
 WHERE gateway.token_digest = :token_digest AND gateway.kind = :kind;

-- name: find_by_name
SELECT gateway.*, pool.supplier_id FROM gateway JOIN pool ON pool.id = gateway.pool_id WHERE gateway.name = :name;

-- name: list_gateways
SELECT gateway.*, pool.supplier_id FROM gateway JOIN pool ON pool.id = gateway.pool_id ORDER BY gateway.id;

-- name: set_enabled
-- Its next sign of life counts as its first.
UPDATE gateway SET enabled = :enabled, last_seen_at = NULL WHERE id = :gateway_id;

-- name: set_token
UPDATE gateway SET token_digest = :token_digest WHERE id = :gateway_id;

-- name: delete_gateway
DELETE FROM gateway WHERE id = :gateway_id;

-- name: surroundings
-- How many other gateways report SIMs of the pool, and the devices behind this one.
SELECT (SELECT count(*) FROM gateway WHERE gateway.pool_id = :pool_id AND gateway.id <> :gateway_id) AS others,
       ARRAY(SELECT device FROM gateway_device WHERE gateway_id = :gateway_id ORDER BY device LIMIT :limit) AS devices;

-- name: sims_by_key
SELECT key, msisdn, learnt, contradicted FROM gateway_sim WHERE gateway_id = :gateway_id AND key = ANY (:keys::text[]);

-- name: list_sims
SELECT key, msisdn, learnt, contradicted FROM gateway_sim WHERE gateway_id = :gateway_id ORDER BY key;

-- name: count_sims
SELECT count(*) FROM gateway_sim WHERE gateway_id = :gateway_id;

-- name: own_numbers
-- Those of the numbers that are this supplier's.
SELECT number.msisdn, number.id FROM number JOIN pool ON pool.id = number.pool_id
 WHERE number.msisdn = ANY (:msisdns::text[]) AND pool.supplier_id = :supplier_id;

-- name: numbers_by_port
-- The number in each port, where there is just one.
SELECT port, min(msisdn) AS msisdn FROM number
 WHERE pool_id = :pool_id AND port = ANY (:ports::text[]) AND listed AND port <> msisdn
 GROUP BY port HAVING count(*) = 1;

-- name: seen
SELECT digest, sent_at, seen_at FROM gateway_seen
 WHERE gateway_id = :gateway_id AND digest = ANY (:digests::bytea[]);

-- name: mark_seen
INSERT INTO gateway_seen (gateway_id, digest, sent_at, seen_at)
SELECT :gateway_id, digest, sent_at, :now
  FROM unnest(:digests::bytea[], :sent_at::timestamptz[]) AS given (digest, sent_at) ORDER BY digest
ON CONFLICT (gateway_id, digest) DO UPDATE SET sent_at = excluded.sent_at, seen_at = excluded.seen_at;

-- name: count_outcomes
INSERT INTO gateway_outcome (gateway_id, day, outcome, count)
SELECT :gateway_id, :day, outcome, count
  FROM unnest(:outcomes::text[], :counts::bigint[]) AS given (outcome, count) ORDER BY outcome
ON CONFLICT (gateway_id, day, outcome) DO UPDATE SET count = gateway_outcome.count + excluded.count;

-- name: outcomes
SELECT outcome, sum(count)::bigint AS count FROM gateway_outcome
 WHERE gateway_id = :gateway_id AND day >= :since GROUP BY outcome ORDER BY outcome;

-- name: unmatched_keys
SELECT key FROM gateway_unmatched WHERE gateway_id = :gateway_id LIMIT :limit;

-- name: count_unmatched
INSERT INTO gateway_unmatched (gateway_id, key, count, first_seen_at, last_seen_at)
SELECT :gateway_id, key, count, :now, :now
  FROM unnest(:keys::text[], :counts::bigint[]) AS given (key, count) ORDER BY key
ON CONFLICT (gateway_id, key) DO UPDATE SET count = gateway_unmatched.count + excluded.count,
                                            last_seen_at = GREATEST(gateway_unmatched.last_seen_at, excluded.last_seen_at);

-- name: list_unmatched
SELECT key, count, first_seen_at, last_seen_at FROM gateway_unmatched
 WHERE gateway_id = :gateway_id ORDER BY last_seen_at DESC, key;

-- name: forget_unmatched
DELETE FROM gateway_unmatched WHERE gateway_id = :gateway_id AND key = :key;

-- name: set_sim
-- What an operator says holds against everything.
INSERT INTO gateway_sim (gateway_id, key, msisdn, learnt, set_at) VALUES (:gateway_id, :key, :msisdn, false, :now)
ON CONFLICT (gateway_id, key) DO UPDATE SET msisdn = excluded.msisdn, learnt = false, set_at = excluded.set_at,
                                            contradicted = NULL;

-- name: learn_sims
-- What a gateway says is noted, but not over an operator's word, nor of a card that is known.
INSERT INTO gateway_sim (gateway_id, key, msisdn, learnt, set_at)
SELECT :gateway_id, key, msisdn, true, :now FROM unnest(:keys::text[], :msisdns::text[]) AS given (key, msisdn)
 ORDER BY key
ON CONFLICT (gateway_id, key) DO UPDATE SET msisdn = excluded.msisdn, set_at = excluded.set_at, contradicted = NULL
 WHERE gateway_sim.learnt AND gateway_sim.msisdn <> excluded.msisdn
   AND gateway_sim.key NOT LIKE 'iccid:%' AND gateway_sim.key NOT LIKE 'imsi:%';

-- name: contradict_sims
-- Notes another number a SIM is said to be. What was learnt of a place may change: SIMs are moved about.
UPDATE gateway_sim SET contradicted = given.msisdn
  FROM unnest(:keys::text[], :msisdns::text[], :cards::boolean[]) AS given (key, msisdn, card)
 WHERE gateway_sim.gateway_id = :gateway_id AND gateway_sim.key = given.key
   AND (given.card OR NOT gateway_sim.learnt)
   AND gateway_sim.msisdn <> given.msisdn AND gateway_sim.contradicted IS DISTINCT FROM given.msisdn
RETURNING gateway_sim.key, gateway_sim.msisdn, gateway_sim.contradicted;

-- name: unlearn_sims
DELETE FROM gateway_sim WHERE gateway_id = :gateway_id AND key = ANY (:keys::text[]) AND learnt;

-- name: delete_sim
DELETE FROM gateway_sim WHERE gateway_id = :gateway_id AND key = :key;

-- name: mark_gateway
UPDATE gateway SET last_seen_at = :now
 WHERE id = :gateway_id AND (last_seen_at IS NULL OR last_seen_at < :before);

-- name: mark_devices
INSERT INTO gateway_device (gateway_id, device, last_seen_at)
SELECT :gateway_id, device, :now FROM unnest(:devices::text[]) AS given (device)
 WHERE (SELECT count(*) FROM gateway_device WHERE gateway_id = :gateway_id) < :limit
 ORDER BY device
ON CONFLICT (gateway_id, device) DO UPDATE SET last_seen_at = excluded.last_seen_at
 WHERE gateway_device.last_seen_at < :before;

-- name: silent_numbers
-- Numbers on sale on the word of gateways that say nothing any more, or may not. Another one that has the same number
-- and does speak keeps it.
SELECT gateway.pool_id, array_agg(DISTINCT number.msisdn) AS msisdns
  FROM gateway
  JOIN gateway_sim ON gateway_sim.gateway_id = gateway.id
  JOIN number ON number.msisdn = gateway_sim.msisdn AND number.pool_id = gateway.pool_id AND number.listed
 WHERE gateway.stocks AND (NOT gateway.enabled OR gateway.last_seen_at < :before)
   AND NOT EXISTS (SELECT FROM gateway AS other JOIN gateway_sim AS same ON same.gateway_id = other.id
                    WHERE same.msisdn = number.msisdn AND other.stocks AND other.enabled
                      AND other.last_seen_at >= :before)
 GROUP BY gateway.pool_id ORDER BY gateway.pool_id;

-- name: forget_seen
DELETE FROM gateway_seen WHERE seen_at < :before;

-- name: delete_gateways_of
DELETE FROM gateway USING pool WHERE pool.id = gateway.pool_id AND pool.supplier_id = :supplier_id;
